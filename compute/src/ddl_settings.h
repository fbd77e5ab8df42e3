/*
 * ddl_settings.h: configuration parameters of definitions and sequences.
 */
#ifndef KLUSTER_DDL_SETTINGS_H
#define KLUSTER_DDL_SETTINGS_H

#include "postgres.h"

/* Definitions stay on this compute node: no shard, no log. For the manager. */
extern bool kluster_local_ddl;

/* Foreign keys that are defined as DEFERRABLE are made as NOT DEFERRABLE instead of refused. */
extern bool kluster_deferrable_at_once;

/* The shard of tables that are created without saying where; 0: the one with the least data. Partitions are spread. */
extern int	kluster_default_shard;

/* Seconds that a definition waits for others, and for locks at the shards. */
extern int	kluster_ddl_lock_timeout;

/* Milliseconds that a definition waits for the other compute nodes to follow. */
extern int	kluster_ddl_follow_timeout;

/* Milliseconds between two looks at the log. */
extern int	kluster_ddl_poll_interval;

/* Seconds that a client is kept waiting while this compute node follows. */
extern int	kluster_admission_timeout;

/* Values that a compute node reserves of a sequence at a time. */
extern int	kluster_sequence_block;

/* Defines the parameters; called once, while the module is loaded. */
extern void kluster_define_ddl_settings(void);

#endif
