/*
 * ddl_applied.h: which entries of the log this database has, and applying one.
 */
#ifndef KLUSTER_DDL_APPLIED_H
#define KLUSTER_DDL_APPLIED_H

#include "postgres.h"

#include "ddl_store.h"

/*
 * One transaction of this database at a time appends to the log or applies an
 * entry of it; until the end of the transaction.
 */
extern void kluster_lock_applying(void);

/* The last entry that this database has. */
extern uint64 kluster_applied(void);

/* Stores it, in this transaction. */
extern void kluster_store_applied(uint64 id);

/* The same for the whole compute node; in database postgres. */
extern uint64 kluster_node_applied(void);
extern void kluster_store_node_applied(uint64 id);

/* While an entry is applied: its token and shard; 0 otherwise. */
extern uint64 kluster_replay_token(void);
extern uint32 kluster_replay_shard(void);

/* Is an entry being applied? */
extern bool kluster_replaying(void);

/* Applies an entry, in a transaction of its own. */
extern void kluster_apply(const KlusterLoggedEntry *entry);

#endif
