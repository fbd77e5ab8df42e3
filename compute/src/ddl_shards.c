/*
 * ddl_shards.c: sharded tables at their shards: created, changed, dropped.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "connection.h"
#include "ddl_shards.h"
#include "ddl_store.h"
#include "ddl_value.h"
#include "ddl_work.h"
#include "foreign_key_violation.h"
#include "quote.h"
#include "remote.h"
#include "shape_foreign_key.h"
#include "shape_text.h"
#include "topology.h"

/* Data of less than this is no reason to prefer another shard: MySQL's numbers are estimates. */
#define PLACEMENT_UNIT (64 * 1024 * 1024)

typedef struct Search
{
	uint32		shard;
	bool		found;
} Search;

static void
find_active(KlusterConnection *connection, void *argument)
{
	Search	   *search = argument;

	if (connection->key.purpose == KLUSTER_DATA && connection->key.shard == search->shard && connection->active)
		search->found = true;
}

static bool
is_in_use(uint32 shard)
{
	Search		search = {.shard = shard};

	kluster_each_connection(find_active, &search);
	return search.found;
}

bool
kluster_is_shard_in_use(const KlusterTableShape *shape)
{
	ListCell   *cell;

	foreach(cell, kluster_shards_of(shape))
		if (is_in_use((uint32) lfirst_int(cell)))
			return true;
	return false;
}

/* MySQL would wait for this very transaction. */
static void
refuse_when_in_use(const KlusterTableShape *shape, uint32 shard)
{
	if (is_in_use(shard))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot change table \"%s\" after statements on its shard in the same transaction", shape->label),
				 errhint("Change it in a transaction of its own, or before the other statements.")));
}

/* Does a query for the shard give a row? */
static bool
has_row(uint32 shard, const char *sql)
{
	KlusterResult *result = kluster_query(kluster_ddl_connection(shard), sql);
	char	  **values;
	unsigned long *lengths;
	bool		found = kluster_fetch(result, &values, &lengths);

	kluster_close(result);
	return found;
}

/*
 * What makes the MySQL database, and a "; " behind it; nothing when it is there. Even with IF NOT EXISTS, MySQL would wait for every
 * transaction that has written to a table in it.
 */
static const char *
ensure_database(uint32 shard, const char *database)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ");
	kluster_append_literal(&sql, database, strlen(database));
	return has_row(shard, sql.data) ? "" : psprintf("%s; ", kluster_create_database_text(database));
}

static void
create_at_shard(const KlusterTableShape *shape, uint32 shard)
{
	char	   *mark = kluster_work_mark();
	KlusterWork create = {
		.shard = shard,
		.undo = psprintf("DROP TABLE IF EXISTS %s", kluster_table_text(shape->database, shape->table)),
		.database = shape->database,
		.table = shape->table,
		.mark = mark
	};

	kluster_name_foreign_keys(NULL, shape, shard);
	create.sql = psprintf("%s%s", ensure_database(shard, shape->database), kluster_create_table_text(shape, mark));
	if (kluster_work_drops(shard, shape->database, shape->table))
		kluster_work_set_aside(shard, shape->database, shape->table);
	kluster_work_do(&create);
}

void
kluster_create_at_shards(const KlusterTableShape *shape)
{
	ListCell   *cell;

	kluster_work_begin();
	foreach(cell, kluster_shards_of(shape))
	{
		uint32		shard = (uint32) lfirst_int(cell);

		/* The table that it refers to is locked by MySQL. */
		if (shape->foreign_key_count > 0)
			refuse_when_in_use(shape, shard);
		create_at_shard(shape, shard);
	}
}

void
kluster_drop_at_shards(const KlusterTableShape *place)
{
	ListCell   *cell;

	foreach(cell, kluster_shards_of(place))
	{
		KlusterWork drop = {
			.shard = (uint32) lfirst_int(cell),
			.database = place->database,
			.table = place->table,
			.put_off = KLUSTER_DROP_TABLE
		};

		kluster_work_do(&drop);
	}
}

void
kluster_drop_database_at_shards(const char *name)
{
	const KlusterTopology *topology = kluster_topology();
	int			count = topology->shard_count;
	uint32	   *ids = palloc(sizeof(uint32) * (count + 1));

	for (int i = 0; i < count; i++)
		ids[i] = topology->shards[i].id;
	for (int i = 0; i < count; i++)
	{
		ListCell   *cell;

		foreach(cell, kluster_store_databases_like(ids[i], psprintf("%s_$$_", name)))
		{
			StringInfoData sql;
			KlusterWork drop = {.shard = ids[i]};

			initStringInfo(&sql);
			appendStringInfoString(&sql, "DROP DATABASE IF EXISTS ");
			kluster_append_identifier(&sql, lfirst(cell));
			drop.at_commit = sql.data;
			kluster_work_do(&drop);
		}
	}
}

static bool
has_rows(const KlusterTableShape *shape, uint32 shard)
{
	return has_row(shard, psprintf("SELECT 1 FROM %s LIMIT 1", kluster_table_text(shape->database, shape->table)));
}

/* Within ereport(): which column the error is about. */
static int
blame_column(const KlusterTableShape *shape, AttrNumber number)
{
	Relation	relation = relation_open(shape->relid, NoLock);

	errtablecol(relation, number);
	relation_close(relation, NoLock);
	return 0;
}

/* What the rows that are there get in a new column. */
static void
fill_added_column(const KlusterTableShape *before, const KlusterTableShape *after, KlusterColumnShape *column,
				  uint32 shard)
{
	Relation	relation = relation_open(after->relid, NoLock);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), column->number - 1);
	bool		computed = attribute->attgenerated != '\0' || attribute->attidentity != '\0';
	Node	   *expression = computed ? NULL : kluster_column_default(relation, column->number);

	computed = computed || kluster_is_volatile(expression);
	relation_close(relation, NoLock);
	if (!has_rows(before, shard))
		return;
	if (computed)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of table \"%s\" would need a value of its own in every row that is there",
						column->name, after->label),
				 errhint("Add the column without it, UPDATE the rows, then set the default.")));
	column->initial = kluster_constant_literal(expression);
	if (column->not_null && column->initial == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of relation \"%s\" contains null values", column->name, after->label),
				 blame_column(after, column->number)));
}

static void
check_new_not_null(const KlusterTableShape *before, const KlusterTableShape *after, const KlusterColumnShape *from,
				   const KlusterColumnShape *to, uint32 shard)
{
	StringInfoData sql;

	if (from->not_null || !to->not_null)
		return;
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s WHERE ", kluster_table_text(before->database, before->table));
	kluster_append_identifier(&sql, from->name);
	appendStringInfoString(&sql, " IS NULL LIMIT 1");
	if (has_row(shard, sql.data))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" of relation \"%s\" contains null values", to->name, after->label),
				 blame_column(after, to->number)));
}

/* Would a value of one type become another value, or be lost for a rollback? */
static bool
converts(const KlusterColumnShape *from, const KlusterColumnShape *to)
{
	int			old_precision;
	int			old_scale;
	int			new_precision;
	int			new_scale;

	if (strcmp(from->type, to->type) == 0 && from->form == to->form)
		return true;
	if (from->form == KLUSTER_INTEGER)
		return to->form == KLUSTER_INTEGER || to->form == KLUSTER_DECIMAL;
	if (from->form == KLUSTER_TEXT)
		return to->form == KLUSTER_TEXT;
	if (from->form == KLUSTER_DATE)
		return to->form == KLUSTER_TIMESTAMP;
	if (from->form == KLUSTER_DECIMAL && to->form == KLUSTER_DECIMAL)
		return sscanf(from->type, "decimal(%d,%d)", &old_precision, &old_scale) == 2 &&
			sscanf(to->type, "decimal(%d,%d)", &new_precision, &new_scale) == 2 && new_scale >= old_scale;
	if (from->form == to->form && (from->form == KLUSTER_TIMESTAMP || from->form == KLUSTER_TIMESTAMPTZ))
		return strcmp(to->type, "datetime(6)") == 0;
	return false;
}

static void
check_columns(const KlusterTableShape *before, KlusterTableShape *after, uint32 shard)
{
	for (int i = 0; i < after->column_count; i++)
	{
		KlusterColumnShape *to = &after->columns[i];
		const KlusterColumnShape *from = kluster_shape_column(before, to->number);

		if (from == NULL)
		{
			fill_added_column(before, after, to, shard);
			continue;
		}
		if (from->pg_type != to->pg_type && !converts(from, to))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot change the type of column \"%s\" of table \"%s\" from %s to %s", to->name, after->label,
							format_type_be(from->pg_type), format_type_be(to->pg_type)),
					 errhint("Add a column of the new type, UPDATE it from the old one, and drop that.")));
		if (from->pg_type == to->pg_type && !converts(from, to))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot change column \"%s\" of table \"%s\" to a narrower type", to->name, after->label)));
		check_new_not_null(before, after, from, to, shard);
	}
}

/* The unique key that is new; NULL: none, or several. */
static const char *
new_unique_key(const KlusterTableShape *before, const KlusterTableShape *after)
{
	const char *name = NULL;

	for (int i = 0; i < after->key_count; i++)
	{
		bool		known = !after->keys[i].unique;

		for (int k = 0; k < before->key_count; k++)
			known = known || before->keys[k].index == after->keys[i].index;
		if (!known)
			name = after->keys[i].name;
	}
	return name;
}

/* Says like PostgreSQL that rows are in the way of a unique or foreign key. */
static void
do_naming_key(const KlusterWork *alter, Oid relid, const char *key)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		kluster_work_do(alter);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (error->sqlerrcode == ERRCODE_FOREIGN_KEY_VIOLATION)
			kluster_raise_foreign_key_violation(relid, NULL, error->message);
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION || key == NULL)
			ReThrowError(error);
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("could not create unique index \"%s\"", key),
				 errdetail_internal("%s", error->message)));
	}
	PG_END_TRY();
}

static void
alter_at_shard(const KlusterTableShape *before, const KlusterTableShape *after, uint32 shard)
{
	KlusterShapeChange change = kluster_shape_change(before, after);
	char	   *mark = kluster_work_mark();
	char	   *from = kluster_table_text(before->database, before->table);
	char	   *to = kluster_table_text(after->database, after->table);
	KlusterWork alter = {.shard = shard, .database = after->database, .table = after->table, .put_off = change.at_commit};

	if (strcmp(before->table, after->table) != 0 || strcmp(before->database, after->database) != 0)
	{
		alter.former_database = before->database;
		alter.former_table = before->table;
	}
	if (change.now != NULL)
	{
		alter.mark = mark;
		alter.sql = psprintf("ALTER TABLE %s %s, COMMENT '%s'", from, change.now, mark);
		alter.undo = psprintf("ALTER TABLE %s %s, COMMENT '%s'", to, change.back,
							  kluster_work_standing_mark(shard, before->database, before->table));
	}
	if (strcmp(before->database, after->database) != 0)
		alter.sql = psprintf("%s%s", ensure_database(shard, after->database), alter.sql);
	if (alter.former_table != NULL && kluster_work_drops(shard, after->database, after->table))
		kluster_work_set_aside(shard, after->database, after->table);
	do_naming_key(&alter, after->relid, new_unique_key(before, after));
}

void
kluster_alter_at_shards(const KlusterTableShape *before, KlusterTableShape *after)
{
	ListCell   *cell;

	foreach(cell, kluster_shards_of(before))
	{
		uint32		shard = (uint32) lfirst_int(cell);
		KlusterShapeChange change;

		kluster_name_foreign_keys(before, after, shard);
		change = kluster_shape_change(before, after);
		if (change.now == NULL && change.at_commit == NULL)
			continue;
		refuse_when_in_use(after, shard);
		check_columns(before, after, shard);
		alter_at_shard(before, after, shard);
	}
}

/* How much there is at a shard, in units, and how many tables. */
static void
measure(uint32 shard, uint64 *units, uint64 *tables)
{
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;

	result = kluster_query(kluster_ddl_connection(shard),
						   "SELECT COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0), COUNT(*) FROM information_schema.TABLES"
						   " WHERE LOCATE('_$$_', TABLE_SCHEMA) > 0");
	if (!kluster_fetch(result, &values, &lengths))
		elog(ERROR, "shard %u does not tell how much there is", shard);
	*units = (uint64) (strtod(values[0], NULL) / PLACEMENT_UNIT);
	*tables = strtoull(values[1], NULL, 10);
	kluster_close(result);
}

uint32
kluster_place_table(void)
{
	const KlusterTopology *topology = kluster_topology();
	int			count = topology->shard_count;
	uint32	   *ids = palloc(sizeof(uint32) * (count + 1));
	uint32		best = 0;
	uint64		best_units = 0;
	uint64		best_tables = 0;

	for (int i = 0; i < count; i++)
		ids[i] = topology->shards[i].primary == NULL ? 0 : topology->shards[i].id;
	for (int i = 0; i < count; i++)
	{
		uint64		units;
		uint64		tables;

		if (ids[i] == 0)
			continue;
		measure(ids[i], &units, &tables);
		if (best != 0 && (units > best_units || (units == best_units && tables >= best_tables)))
			continue;
		best = ids[i];
		best_units = units;
		best_tables = tables;
	}
	if (best == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the cluster has no shard that could take a table")));
	return best;
}
