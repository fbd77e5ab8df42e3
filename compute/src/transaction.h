/*
 * transaction.h: PostgreSQL transactions on the shards.
 */
#ifndef KLUSTER_TRANSACTION_H
#define KLUSTER_TRANSACTION_H

#include "remote.h"

/* Registers the transaction callbacks; called once, while the module is loaded. */
extern void kluster_transaction_init(void);

/*
 * What has to be sent before the next statement: the begin of the remote
 * transaction, savepoints. Notes it as sent. Appends nothing when nothing is due.
 */
extern void kluster_append_preamble(KlusterConnection *connection, StringInfo out);

/* The remote transaction has ended, in whatever way. */
extern void kluster_forget_transaction(KlusterConnection *connection);

/* An end for what must not take long: a cleanup after an error. */
extern TimestampTz kluster_cleanup_end(void);

/*
 * The first statement of a branch, or one outside of branches, failed: true when it makes
 * sense to send it again, and everything is ready for that: the shard had no writable primary, and
 * has one now. `since` must be 0 at first. Nothing that was done is lost.
 */
extern bool kluster_prepare_repetition(KlusterConnection *connection, TimestampTz *since);

/* two_phase.c: gives a branch the name of this transaction. */
extern void kluster_name_branch(KlusterConnection *connection);

/* two_phase.c: ends a branch that is not prepared. Never fails. */
extern void kluster_undo_branch(KlusterConnection *connection);

/* two_phase.c: commits what this transaction did on the shards. An error: it is not committed. */
extern void kluster_commit_shards(void);

/* two_phase.c: rolls back. Never fails. */
extern void kluster_roll_back_shards(void);

#endif
