/*
 * targets.c: which shards a statement goes to.
 */
#include "postgres.h"

#include <mysqld_error.h>

#include "connection.h"
#include "options.h"
#include "targets.h"
#include "topology.h"

uint32
kluster_reading_shard(uint32 shard)
{
	const KlusterTopology *topology;

	if (shard != KLUSTER_ALL_SHARDS)
		return shard;
	topology = kluster_topology();
	if (topology->shard_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the cluster has no shards")));
	return topology->shards[0].id;
}

/* The ids, because the topology may change while statements run. */
static uint32 *
all_shards(int *count)
{
	const KlusterTopology *topology = kluster_topology();
	uint32	   *ids = palloc(sizeof(uint32) * (topology->shard_count + 1));

	*count = topology->shard_count;
	for (int i = 0; i < topology->shard_count; i++)
		ids[i] = topology->shards[i].id;
	return ids;
}

/* MySQL says: Duplicate entry '1' for key 'table.key'. */
static bool
is_expected(const char *message, const KlusterConflicts *conflicts)
{
	ListCell   *cell;

	foreach(cell, conflicts->keys)
	{
		char	   *end = psprintf(".%s'", (char *) lfirst(cell));

		if (strlen(message) >= strlen(end) && strcmp(message + strlen(message) - strlen(end), end) == 0)
			return true;
	}
	return conflicts->keys == NIL;
}

/* Raises an error unless all warnings of the last statement are about expected duplicates. */
static void
check_warnings(KlusterConnection *connection, const KlusterConflicts *conflicts)
{
	KlusterResult *warnings;
	char	  **values;
	unsigned long *lengths;

	if (mysql_warning_count(kluster_mysql(connection)) == 0)
		return;
	warnings = kluster_query(connection, "SHOW WARNINGS");
	while (kluster_fetch(warnings, &values, &lengths))
	{
		bool		is_duplicate = atoi(values[1]) == ER_DUP_ENTRY;

		if (is_duplicate && is_expected(values[2], conflicts))
			continue;
		ereport(ERROR,
				(errcode(is_duplicate ? ERRCODE_UNIQUE_VIOLATION : ERRCODE_FDW_ERROR),
				 errmsg("a shard cannot store the row: %s", values[2]),
				 errdetail_internal("MySQL error %s.", values[1])));
	}
	kluster_close(warnings);
}

static uint64
change_one(uint32 shard, const char *sql, const KlusterConflicts *conflicts)
{
	KlusterConnection *connection = kluster_connection(shard, KLUSTER_WRITE);
	uint64		affected;

	kluster_execute(connection, sql, &affected);
	if (conflicts != NULL)
		check_warnings(connection, conflicts);
	return affected;
}

static uint64
change_everywhere(const char *sql, const KlusterConflicts *conflicts)
{
	uint64		first = 0;
	int			count;
	uint32	   *ids = all_shards(&count);

	for (int i = 0; i < count; i++)
	{
		uint64		affected = change_one(ids[i], sql, conflicts);

		if (i == 0)
			first = affected;
		else if (affected != first)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("a mirrored table differs between shards %u and %u", ids[0], ids[i]),
					 errdetail("A statement affected " UINT64_FORMAT " and " UINT64_FORMAT " rows.", first, affected)));
	}
	pfree(ids);
	return first;
}

uint64
kluster_change(uint32 shard, const char *sql, const KlusterConflicts *conflicts)
{
	if (shard == KLUSTER_ALL_SHARDS)
		return change_everywhere(sql, conflicts);
	return change_one(shard, sql, conflicts);
}
