/*
 * direct.c: statements for a shard as they are, for administrators and tests.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "connection.h"

PG_FUNCTION_INFO_V1(kluster_direct_execute);
PG_FUNCTION_INFO_V1(kluster_direct_define);
PG_FUNCTION_INFO_V1(kluster_direct_query);
PG_FUNCTION_INFO_V1(kluster_direct_query_server);

static void
require_superuser(void)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser may send statements to a shard directly")));
}

static uint32
shard_argument(int64 shard)
{
	if (shard < 1 || shard > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("shard: " INT64_FORMAT " is not the id of a shard", shard)));
	return (uint32) shard;
}

Datum
kluster_direct_execute(PG_FUNCTION_ARGS)
{
	uint64		affected;

	require_superuser();
	kluster_execute(kluster_connection(shard_argument(PG_GETARG_INT64(0)), KLUSTER_WRITE),
					text_to_cstring(PG_GETARG_TEXT_PP(1)), &affected);
	PG_RETURN_INT64((int64) affected);
}

Datum
kluster_direct_define(PG_FUNCTION_ARGS)
{
	require_superuser();
	kluster_execute(kluster_ddl_connection(shard_argument(PG_GETARG_INT64(0))), text_to_cstring(PG_GETARG_TEXT_PP(1)), NULL);
	PG_RETURN_VOID();
}

/* A row as an array of text. */
static Datum
row_array(char **values, unsigned long *lengths, int columns)
{
	Datum	   *datums = palloc(sizeof(Datum) * (columns + 1));
	bool	   *nulls = palloc(sizeof(bool) * (columns + 1));
	int			lower = 1;

	for (int i = 0; i < columns; i++)
	{
		nulls[i] = values[i] == NULL;
		datums[i] = nulls[i] ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(values[i], (int) lengths[i]));
	}
	return PointerGetDatum(construct_md_array(datums, nulls, 1, &columns, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Gives the rows of a statement to the caller. */
static void
return_rows(FunctionCallInfo fcinfo, KlusterConnection *connection, text *statement)
{
	ReturnSetInfo *out = (ReturnSetInfo *) fcinfo->resultinfo;
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	result = kluster_query(connection, text_to_cstring(statement));
	while (kluster_fetch(result, &values, &lengths))
	{
		Datum		row = row_array(values, lengths, kluster_columns(result));
		bool		null = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(out->setResult, out->setDesc, &row, &null);
	}
	kluster_close(result);
}

Datum
kluster_direct_query(PG_FUNCTION_ARGS)
{
	require_superuser();
	return_rows(fcinfo, kluster_connection(shard_argument(PG_GETARG_INT64(0)), KLUSTER_READ), PG_GETARG_TEXT_PP(1));
	return (Datum) 0;
}

Datum
kluster_direct_query_server(PG_FUNCTION_ARGS)
{
	int32		port = PG_GETARG_INT32(1);

	require_superuser();
	if (port < 1 || port > PG_UINT16_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("port: %d is not between 1 and %d", port, PG_UINT16_MAX)));
	return_rows(fcinfo, kluster_any_connection(text_to_cstring(PG_GETARG_TEXT_PP(0)), (uint16) port),
				PG_GETARG_TEXT_PP(2));
	return (Datum) 0;
}
