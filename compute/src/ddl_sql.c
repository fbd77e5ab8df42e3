/*
 * ddl_sql.c: what SQL sees of the log of definitions and of the metadata server.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "ddl_shared.h"
#include "topology.h"

PG_FUNCTION_INFO_V1(kluster_show_metadata);
PG_FUNCTION_INFO_V1(kluster_show_ddl_position);

Datum
kluster_show_metadata(PG_FUNCTION_ARGS)
{
	const KlusterTopology *topology = kluster_topology_if_set();
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		nulls[2] = {false, false};
	Datum		values[2];

	InitMaterializedSRF(fcinfo, 0);
	if (topology == NULL || topology->metadata_host == NULL)
		return (Datum) 0;
	values[0] = CStringGetTextDatum(topology->metadata_host);
	values[1] = Int32GetDatum(topology->metadata_port);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

Datum
kluster_show_ddl_position(PG_FUNCTION_ARGS)
{
	KlusterDdlProgress progress = kluster_ddl_progress();
	bool		nulls[3] = {false, false, false};
	TupleDesc	descriptor;
	Datum		values[3];

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum((int64) progress.applied);
	values[1] = Int64GetDatum((int64) progress.newest);
	values[2] = BoolGetDatum(progress.following);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}
