/*
 * ddl_track.h: which sharded tables a statement creates, changes and drops, and
 * bringing the shards to the same state at its end.
 */
#ifndef KLUSTER_DDL_TRACK_H
#define KLUSTER_DDL_TRACK_H

#include "postgres.h"

/* A statement begins, or ends: with an error when `failed`. Statements nest. */
extern void kluster_track_begin(void);
extern void kluster_track_end(bool failed);

/* Brings the shards to the state of the catalogs already. */
extern void kluster_track_settle(void);

/* Notes how the table is now, before it changes; nothing when it is not a managed sharded table. */
extern void kluster_track_change(Oid relid);

/* ... and all tables that inherit from it. */
extern void kluster_track_change_of_all(Oid relid);

/* Notes that the statement has created the table. */
extern void kluster_track_creation(Oid relid);

/* Registers the hook that sees what is dropped; called once, while the module is loaded. */
extern void kluster_track_init(void);

#endif
