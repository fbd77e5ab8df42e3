/*
 * fdw.c: the foreign data wrapper kluster_fdw: which function does what.
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"

#include "relation.h"
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

	PG_RETURN_POINTER(routine);
}
