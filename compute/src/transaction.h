/*
 * transaction.h: PostgreSQL transactions on the shards.
 */
#ifndef KLUSTER_TRANSACTION_H
#define KLUSTER_TRANSACTION_H

#include "connection.h"

/* Registers the transaction callbacks; called once, while the module is loaded. */
extern void kluster_transaction_init(void);

#endif
