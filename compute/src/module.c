/*
 * module.c: what happens when PostgreSQL loads kluster.so.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "ddl_hook.h"
#include "ddl_replay.h"
#include "ddl_settings.h"
#include "ddl_failure.h"
#include "ddl_shared.h"
#include "ddl_track.h"
#include "ddl_work.h"
#include "sequence.h"
#include "modify.h"
#include "settings.h"
#include "shown_kind.h"
#include "topology.h"
#include "transaction.h"
#include "update.h"

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
	kluster_define_ddl_settings();
	kluster_topology_init();
	kluster_work_init_last();
	kluster_transaction_init();
	kluster_work_init_first();
	kluster_ddl_shared_init();
	kluster_ddl_failure_init();
	kluster_ddl_hook_init();
	kluster_track_init();
	kluster_replay_init();
	kluster_admission_init();
	kluster_sequence_init();
	kluster_shown_kind_init();
	kluster_modify_end_init();
	kluster_update_init();
	/* Now every parameter is known: what else begins with kluster is a mistake. */
	MarkGUCPrefixReserved("kluster");
}
