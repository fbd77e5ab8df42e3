/*
 * ddl_step.h: what the statements of one transaction have done at the shards so far, in their order.
 *
 * A table may get several names within a transaction. What is put off to the commit is about the table and not
 * about a name, which another table may have by then.
 */
#ifndef KLUSTER_DDL_STEP_H
#define KLUSTER_DDL_STEP_H

#include "postgres.h"

#include "ddl_store.h"
#include "ddl_work.h"
#include "nodes/pg_list.h"

/* A statement that has been executed at a shard, or waits for the commit. */
typedef struct KlusterStep
{
	KlusterIntent intent;
	char	   *former_database;	/* it renames; otherwise NULL */
	char	   *former_table;
	char	   *put_off;		/* as KlusterWork has it */
	SubTransactionId owner;
	bool		cancelled;		/* its subtransaction was rolled back, it is to be taken back */
} KlusterStep;

/* In the current memory context; its intent is not stored yet. */
extern KlusterStep *kluster_make_step(const KlusterWork *work, uint64 token);

/* What it puts off, as a statement, by the name that its table has after all steps; NULL: nothing. */
extern char *kluster_step_put_off(List *steps, const KlusterStep *step);

/* Is the DROP of a table put off that has this name now? */
extern bool kluster_steps_drop(List *steps, uint32 shard, const char *database, const char *table);

/* See kluster_work_standing_mark(). */
extern const char *kluster_steps_mark(List *steps, uint32 shard, const char *database, const char *table);

#endif
