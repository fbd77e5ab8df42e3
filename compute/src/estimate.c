/*
 * estimate.c: how many rows a table has, by the shard's own statistics.
 *
 * Remembered for a while in each backend: a plan does not need the latest
 * number. After ANALYZE PostgreSQL knows by itself, and nobody asks the shard.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "connection.h"
#include "deparse.h"
#include "relation.h"
#include "targets.h"

/* How long a number is good enough, in milliseconds. */
#define REMEMBERED_FOR 60000

/* Column `rows` of MySQL's EXPLAIN in its traditional form. */
#define EXPLAIN_ROWS 9

typedef struct Remembered
{
	Oid			relation;		/* key */
	TimestampTz at;
	double		rows;
} Remembered;

static HTAB *memory = NULL;

static Remembered *
remembered(Oid relation, bool *found)
{
	if (memory == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Remembered), .hcxt = TopMemoryContext};

		memory = hash_create("kluster row counts", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	return hash_search(memory, &relation, HASH_ENTER, found);
}

static double
ask_for_rows(const KlusterTable *table)
{
	uint32		shard = kluster_reading_shard(table->shard);
	StringInfoData sql;
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;
	double		rows = 1;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "EXPLAIN FORMAT=TRADITIONAL SELECT 1 FROM ");
	kluster_append_table(&sql, table);
	result = kluster_query(kluster_connection(shard, KLUSTER_READ), sql.data);
	if (kluster_fetch(result, &values, &lengths) && kluster_columns(result) > EXPLAIN_ROWS && values[EXPLAIN_ROWS] != NULL)
		rows = Max(1, strtod(values[EXPLAIN_ROWS], NULL));
	kluster_close(result);
	pfree(sql.data);
	return rows;
}

double
kluster_table_rows(Oid relation, const KlusterTable *table)
{
	bool		found;
	Remembered *entry = remembered(relation, &found);
	TimestampTz now = GetCurrentTimestamp();
	double		rows;

	if (found && !TimestampDifferenceExceeds(entry->at, now, REMEMBERED_FOR))
		return entry->rows;
	if (!found)
		hash_search(memory, &relation, HASH_REMOVE, NULL);
	rows = ask_for_rows(table);
	entry = remembered(relation, &found);
	entry->at = now;
	entry->rows = rows;
	return rows;
}
