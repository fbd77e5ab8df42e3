/*
 * targets.h: which shards a statement goes to.
 */
#ifndef KLUSTER_TARGETS_H
#define KLUSTER_TARGETS_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/pg_list.h"

/*
 * The shard to read from: itself, or for a mirrored table the first one, so
 * that a transaction sees what it wrote, and locks are taken in one place.
 */
extern uint32 kluster_reading_shard(uint32 shard);

/* Which duplicates an INSERT IGNORE may leave out. */
typedef struct KlusterConflicts
{
	List	   *keys;			/* names of MySQL's keys; NIL: all */
} KlusterConflicts;

/* A statement that changes data. */
typedef struct KlusterChange
{
	uint32		shard;			/* KLUSTER_ALL_SHARDS: of a mirrored table, on all of them */
	Oid			relation;		/* the table, for errors */
	const char *sql;
	TupleTableSlot *row;		/* the only row that it stores, for errors; NULL: there are several, or none */

	/*
	 * It is an INSERT IGNORE, which would hide other errors as well as duplicates, so that warnings about
	 * anything else are errors. NULL for all other statements.
	 */
	const KlusterConflicts *conflicts;

	bool		locks_duplicate;	/* its end is of kluster_append_duplicate_lock(): a row that was there does not count */
} KlusterChange;

/*
 * Ends an INSERT of one row such that a row that is there already stays as it is, but is locked. Not so by INSERT IGNORE:
 * its lock is a shared one, and two transactions that hold it and then change the row are a deadlock. `column` is any
 * of the table.
 */
extern void kluster_append_duplicate_lock(StringInfo out, const char *column);

/* Executes it. The number of rows that it affected (on one shard). */
extern uint64 kluster_change(const KlusterChange *change);

/*
 * The same for one that affects as many rows as it says, or fails: the shards may still work on it
 * when this returns. The failure is raised by whatever uses them next, or by kluster_await_change().
 */
extern void kluster_change_later(const KlusterChange *change);
extern void kluster_await_change(uint32 shard);

#endif
