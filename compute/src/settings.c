/*
 * settings.c: defines the configuration parameters `kluster.*`.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "fault.h"
#include "settings.h"

int			kluster_batch_size = 1000;
int			kluster_connect_timeout = 5;
int			kluster_failover_timeout = 20;

void
kluster_define_settings(void)
{
	DefineCustomIntVariable("kluster.batch_size",
							"Rows that one INSERT sends to a shard at most.",
							NULL, &kluster_batch_size,
							1000, 1, 65536, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.connect_timeout",
							"Time that opening a connection to a storage node may take.",
							NULL, &kluster_connect_timeout,
							5, 1, 3600, PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("kluster.failover_timeout",
							"Time that a statement waits for the new primary of its shard.",
							NULL, &kluster_failover_timeout,
							20, 0, 3600, PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomStringVariable("kluster.fault_point",
							   "Where the backend dies, for tests.",
							   NULL, &kluster_fault_point,
							   "", PGC_SUSET, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL, NULL, NULL, NULL);
}
