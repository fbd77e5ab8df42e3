/*
 * topology_sql.c: the topology's SQL functions.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "topology.h"
#include "topology_json.h"
#include "topology_shared.h"

PG_FUNCTION_INFO_V1(kluster_set_topology);
PG_FUNCTION_INFO_V1(kluster_show_cluster);
PG_FUNCTION_INFO_V1(kluster_show_shards);
PG_FUNCTION_INFO_V1(kluster_show_nodes);
PG_FUNCTION_INFO_V1(kluster_show_comps);

/* What this transaction publishes when it commits; NULL: nothing. */
static char *pending_document = NULL;
static uint64 pending_generation = 0;

static void
publish_at_commit(XactEvent event, void *argument)
{
	if (pending_document == NULL)
		return;
	if (event == XACT_EVENT_COMMIT)
		kluster_publish_topology(pending_document, strlen(pending_document), pending_generation);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		pfree(pending_document);
		pending_document = NULL;
	}
}

static void
remember_for_commit(char *document, uint64 generation)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(publish_at_commit, NULL);
	registered = true;
	if (pending_document != NULL)
		pfree(pending_document);
	pending_document = MemoryContextStrdup(TopMemoryContext, document);
	pending_generation = generation;
}

/* Compares with the stored generation: true when this one is news; an error when it is outdated. */
static bool
is_news(uint64 generation)
{
	uint64		stored;

	if (SPI_execute("LOCK TABLE kluster.topology IN EXCLUSIVE MODE", false, 0) != SPI_OK_UTILITY ||
		SPI_execute("SELECT generation::text FROM kluster.topology", false, 1) != SPI_OK_SELECT)
		elog(ERROR, "cannot read kluster.topology");
	if (SPI_processed == 0)
		return true;
	stored = strtoull(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1), NULL, 10);
	if (generation < stored)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("topology: generation " UINT64_FORMAT " is older than " UINT64_FORMAT ", which is in force",
						generation, stored)));
	return generation > stored;
}

static void
store(Datum document, uint64 generation)
{
	Oid			types[2] = {JSONBOID, INT8OID};
	Datum		values[2];

	values[0] = document;
	values[1] = Int64GetDatum((int64) generation);
	if (SPI_execute_with_args("INSERT INTO kluster.topology (document, generation) VALUES ($1, $2)"
							  " ON CONFLICT (only_row) DO UPDATE SET document = $1, generation = $2",
							  2, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "cannot write kluster.topology");
}

Datum
kluster_set_topology(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	KlusterTopology *topology;
	bool		news;
	char	   *text;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only a superuser may set the topology")));
	if (strcmp(get_database_name(MyDatabaseId), "postgres") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the topology is set in database \"postgres\"")));
	topology = kluster_read_topology(document);
	text = JsonbToCString(NULL, &document->root, VARSIZE(document));
	kluster_check_topology_size(strlen(text));
	SPI_connect();
	news = is_news(topology->generation);
	if (news)
	{
		store(JsonbPGetDatum(document), topology->generation);
		remember_for_commit(text, topology->generation);
	}
	SPI_finish();
	PG_RETURN_BOOL(news);
}

static void
put_row(ReturnSetInfo *result, Datum *values)
{
	bool		nulls[5] = {false, false, false, false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
kluster_show_cluster(PG_FUNCTION_ARGS)
{
	const KlusterTopology *topology = kluster_topology_if_set();
	Datum		values[5];

	InitMaterializedSRF(fcinfo, 0);
	if (topology == NULL)
		return (Datum) 0;
	values[0] = Int64GetDatum((int64) topology->generation);
	values[1] = Int64GetDatum(topology->cluster_id);
	values[2] = CStringGetTextDatum(topology->cluster_name);
	values[3] = Int64GetDatum(topology->comp_id);
	values[4] = CStringGetTextDatum(topology->comp_name);
	put_row((ReturnSetInfo *) fcinfo->resultinfo, values);
	return (Datum) 0;
}

Datum
kluster_show_shards(PG_FUNCTION_ARGS)
{
	const KlusterTopology *topology = kluster_topology_if_set();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; topology != NULL && i < topology->shard_count; i++)
	{
		Datum		values[2];

		values[0] = Int64GetDatum(topology->shards[i].id);
		values[1] = CStringGetTextDatum(topology->shards[i].name);
		put_row((ReturnSetInfo *) fcinfo->resultinfo, values);
	}
	return (Datum) 0;
}

static void
show_nodes_of(ReturnSetInfo *result, const KlusterShard *shard)
{
	for (int i = 0; i < shard->node_count; i++)
	{
		const KlusterNode *node = &shard->nodes[i];
		Datum		values[5];

		values[0] = Int64GetDatum(shard->id);
		values[1] = Int64GetDatum(node->id);
		values[2] = CStringGetTextDatum(node->host);
		values[3] = Int32GetDatum(node->port);
		values[4] = BoolGetDatum(node->primary);
		put_row(result, values);
	}
}

Datum
kluster_show_nodes(PG_FUNCTION_ARGS)
{
	const KlusterTopology *topology = kluster_topology_if_set();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; topology != NULL && i < topology->shard_count; i++)
		show_nodes_of((ReturnSetInfo *) fcinfo->resultinfo, &topology->shards[i]);
	return (Datum) 0;
}

Datum
kluster_show_comps(PG_FUNCTION_ARGS)
{
	const KlusterTopology *topology = kluster_topology_if_set();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; topology != NULL && i < topology->comp_count; i++)
	{
		Datum		values[4];

		values[0] = Int64GetDatum(topology->comps[i].id);
		values[1] = CStringGetTextDatum(topology->comps[i].name);
		values[2] = CStringGetTextDatum(topology->comps[i].host);
		values[3] = Int32GetDatum(topology->comps[i].port);
		put_row((ReturnSetInfo *) fcinfo->resultinfo, values);
	}
	return (Datum) 0;
}
