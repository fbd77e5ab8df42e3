/*
 * fdw.c: the foreign data wrapper kluster_fdw: which function does what.
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"

#include "analyze.h"
#include "async.h"
#include "modify.h"
#include "relation.h"
#include "row_identity.h"
#include "scan.h"

PG_FUNCTION_INFO_V1(kluster_fdw_handler);

Datum
kluster_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = kluster_get_rel_size;
	routine->GetForeignPaths = kluster_get_paths;
	routine->GetForeignJoinPaths = kluster_get_join_paths;
	routine->GetForeignUpperPaths = kluster_get_upper_paths;
	routine->GetForeignPlan = kluster_get_plan;

	routine->BeginForeignScan = kluster_begin_scan;
	routine->IterateForeignScan = kluster_iterate_scan;
	routine->ReScanForeignScan = kluster_rescan;
	routine->EndForeignScan = kluster_end_scan;
	routine->ExplainForeignScan = kluster_explain_scan;

	routine->AddForeignUpdateTargets = kluster_add_row_identity;
	routine->PlanForeignModify = kluster_plan_modify;
	routine->BeginForeignModify = kluster_begin_modify;
	routine->BeginForeignInsert = kluster_begin_insert;
	routine->ExecForeignInsert = kluster_insert;
	routine->ExecForeignBatchInsert = kluster_insert_batch;
	routine->GetForeignModifyBatchSize = kluster_copied_rows;
	routine->ExecForeignUpdate = kluster_update;
	routine->ExecForeignDelete = kluster_delete;
	routine->EndForeignModify = kluster_end_modify;
	routine->EndForeignInsert = kluster_end_modify;
	routine->ExplainForeignModify = kluster_explain_modify;
	routine->ExecForeignTruncate = kluster_truncate;

	routine->PlanDirectModify = kluster_plan_direct;
	routine->BeginDirectModify = kluster_begin_direct;
	routine->IterateDirectModify = kluster_iterate_direct;
	routine->EndDirectModify = kluster_end_direct;
	routine->ExplainDirectModify = kluster_explain_direct;

	routine->AnalyzeForeignTable = kluster_analyze;

	routine->IsForeignPathAsyncCapable = kluster_is_async_capable;
	routine->ForeignAsyncRequest = kluster_async_request;
	routine->ForeignAsyncConfigureWait = kluster_async_configure_wait;
	routine->ForeignAsyncNotify = kluster_async_notify;

	PG_RETURN_POINTER(routine);
}
