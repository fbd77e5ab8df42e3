/*
 * module.c: what happens when PostgreSQL loads kluster.so.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "settings.h"
#include "topology.h"
#include "transaction.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("kluster must be loaded by shared_preload_libraries")));
	kluster_define_settings();
	kluster_topology_init();
	kluster_transaction_init();
}
