/*
 * fdw.c: the foreign data wrapper kluster_fdw.
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"

PG_FUNCTION_INFO_V1(kluster_fdw_handler);

Datum
kluster_fdw_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(makeNode(FdwRoutine));
}
