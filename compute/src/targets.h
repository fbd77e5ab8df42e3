/*
 * targets.h: which shards a statement goes to.
 */
#ifndef KLUSTER_TARGETS_H
#define KLUSTER_TARGETS_H

#include "postgres.h"

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

/*
 * Executes a statement that changes data, on all shards of a mirrored table.
 * The number of rows that it affected (on one shard). `conflicts`: it is an
 * INSERT IGNORE, which would hide other errors as well as duplicates, so that
 * warnings about anything else are errors. NULL for all other statements.
 */
extern uint64 kluster_change(uint32 shard, const char *sql, const KlusterConflicts *conflicts);

#endif
