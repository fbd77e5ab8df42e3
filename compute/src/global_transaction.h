/*
 * global_transaction.h: the name of a transaction on all shards it writes.
 */
#ifndef KLUSTER_GLOBAL_TRANSACTION_H
#define KLUSTER_GLOBAL_TRANSACTION_H

#include "postgres.h"

typedef struct KlusterGlobalTransaction
{
	uint32		comp_id;		/* the compute node that runs it */
	uint32		seconds;		/* when it began, Unix time */
	uint32		local;			/* a number of this compute node */
	char		name[40];		/* "<comp_id>-<seconds>-<local>": the XA id of each branch */
} KlusterGlobalTransaction;

/* A name that no other transaction has. */
extern void kluster_name_transaction(KlusterGlobalTransaction *transaction);

/* The number under which the decision is logged. */
extern uint64 kluster_transaction_number(const KlusterGlobalTransaction *transaction);

/* Asks for shared memory; called once, while the module is loaded. */
extern void kluster_global_transaction_init(void);

#endif
