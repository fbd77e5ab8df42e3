/*
 * ddl_settings.c: configuration parameters of definitions and sequences.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "ddl_settings.h"

bool		kluster_local_ddl = false;
bool		kluster_deferrable_at_once = false;
int			kluster_default_shard = 0;
int			kluster_ddl_lock_timeout = 30;
int			kluster_ddl_follow_timeout = 10000;
int			kluster_ddl_poll_interval = 50;
int			kluster_admission_timeout = 30;
int			kluster_sequence_block = 100;

void
kluster_define_ddl_settings(void)
{
	DefineCustomBoolVariable("kluster.local_ddl",
							 "Definitions stay on this compute node: they reach no shard and no other compute node.",
							 NULL, &kluster_local_ddl,
							 false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("kluster.deferrable_at_once",
							 "Foreign keys that are defined as DEFERRABLE are made as NOT DEFERRABLE instead of refused.",
							 NULL, &kluster_deferrable_at_once,
							 false, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.default_shard",
							"Shard of tables that are created without WITH (shard) or REFERENCES; 0: the one with the least data.",
							NULL, &kluster_default_shard,
							0, 0, PG_INT32_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.ddl_lock_timeout",
							"Time that a definition waits for definitions of others, and for locks at the shards.",
							NULL, &kluster_ddl_lock_timeout,
							30, 1, 86400, PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.ddl_follow_timeout",
							"Time that a definition waits for the other compute nodes to follow.",
							NULL, &kluster_ddl_follow_timeout,
							10000, 0, 3600000, PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.ddl_poll_interval",
							"Time between two looks at the log of definitions.",
							NULL, &kluster_ddl_poll_interval,
							50, 5, 60000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.admission_timeout",
							"Time that a client waits until this compute node has followed the log of definitions.",
							NULL, &kluster_admission_timeout,
							30, 0, 3600, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.sequence_block",
							"Values of a sequence that this compute node reserves at a time.",
							NULL, &kluster_sequence_block,
							100, 1, 1000000, PGC_SIGHUP, 0, NULL, NULL, NULL);
}
