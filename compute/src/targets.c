/*
 * targets.c: which shards a statement goes to.
 */
#include "postgres.h"

#include <mysqld_error.h>

#include "connection.h"
#include "options.h"
#include "quote.h"
#include "targets.h"
#include "topology.h"
#include "violation.h"

/*
 * What MySQL gives back as the id of the row when it was there already. The number of rows does not tell: it is 1 in both
 * cases for connections with CLIENT_FOUND_ROWS (MySQL manual, INSERT ... ON DUPLICATE KEY UPDATE).
 */
#define DUPLICATE_ID UINT64CONST(0xFFFFFFFFFFFFFFFF)

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
check_warnings(KlusterConnection *connection, const KlusterChange *change)
{
	KlusterResult *warnings;
	char	  **values;
	unsigned long *lengths;

	if (mysql_warning_count(kluster_mysql(connection)) == 0)
		return;
	warnings = kluster_query(connection, "SHOW WARNINGS");
	while (kluster_fetch(warnings, &values, &lengths))
	{
		unsigned int code = (unsigned int) atoi(values[1]);

		if (code == ER_DUP_ENTRY && is_expected(values[2], change->conflicts))
			continue;
		kluster_raise_violation(change->relation, change->row, code, values[2]);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("a shard cannot store the row: %s", values[2]),
				 errdetail_internal("MySQL error %u.", code)));
	}
	kluster_close(warnings);
}

void
kluster_append_duplicate_lock(StringInfo out, const char *column)
{
	appendStringInfoString(out, " ON DUPLICATE KEY UPDATE ");
	kluster_append_identifier(out, column);
	appendStringInfo(out, " = IF(LAST_INSERT_ID(" UINT64_FORMAT ") = 0, NULL, ", DUPLICATE_ID);
	kluster_append_identifier(out, column);
	appendStringInfoChar(out, ')');
}

/* The connection for it; a failure will be one of the table from now on. */
static KlusterConnection *
connection_for(const KlusterChange *change, uint32 shard)
{
	KlusterConnection *connection = kluster_connection(shard, KLUSTER_WRITE);

	/* What is under way there has to end first: it is about another row. */
	kluster_await(connection);
	kluster_blame(connection, change->relation, change->row);
	return connection;
}

static uint64
change_one(const KlusterChange *change, uint32 shard)
{
	KlusterConnection *connection = connection_for(change, shard);
	uint64		affected;

	kluster_execute(connection, change->sql, &affected);
	kluster_blame(connection, InvalidOid, NULL);
	if (change->conflicts != NULL)
		check_warnings(connection, change);
	if (change->locks_duplicate && mysql_insert_id(kluster_mysql(connection)) == DUPLICATE_ID)
		return 0;
	return affected;
}

static uint64
change_everywhere(const KlusterChange *change)
{
	uint64		first = 0;
	int			count;
	uint32	   *ids = all_shards(&count);

	for (int i = 0; i < count; i++)
	{
		uint64		affected = change_one(change, ids[i]);

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
kluster_change(const KlusterChange *change)
{
	if (change->shard == KLUSTER_ALL_SHARDS)
		return change_everywhere(change);
	return change_one(change, change->shard);
}

void
kluster_change_later(const KlusterChange *change)
{
	int			count = 1;
	const uint32 *ids = change->shard == KLUSTER_ALL_SHARDS ? all_shards(&count) : &change->shard;

	for (int i = 0; i < count; i++)
		kluster_execute_later(connection_for(change, ids[i]), change->sql);
}

void
kluster_await_change(uint32 shard)
{
	int			count = 1;
	const uint32 *ids = shard == KLUSTER_ALL_SHARDS ? all_shards(&count) : &shard;

	for (int i = 0; i < count; i++)
		kluster_await(kluster_connection(ids[i], KLUSTER_WRITE));
}
