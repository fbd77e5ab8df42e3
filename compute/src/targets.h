/*
 * targets.h: which shards a statement goes to.
 */
#ifndef KLUSTER_TARGETS_H
#define KLUSTER_TARGETS_H

#include "postgres.h"

/*
 * The shard to read from: itself, or for a mirrored table the first one, so
 * that a transaction sees what it wrote, and locks are taken in one place.
 */
extern uint32 kluster_reading_shard(uint32 shard);

/*
 * Executes a statement that changes data, on all shards of a mirrored table.
 * The number of rows that it affected (on one shard). `skips`: it is an INSERT
 * IGNORE, which may leave out duplicates; it would hide other errors as well,
 * so that warnings about anything else are errors.
 */
extern uint64 kluster_change(uint32 shard, const char *sql, bool skips);

#endif
