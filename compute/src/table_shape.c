/*
 * table_shape.c: reads from the catalogs what a sharded table looks like in MySQL.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_index.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "shape_foreign_key.h"
#include "table_shape.h"
#include "topology.h"

/* MySQL's limits: bytes of a key of InnoDB, bytes per character, length of a name. */
#define KEY_BYTES 3072
#define CHARACTER_BYTES 4
#define NAME_CHARACTERS 64

/* What a column of bounded length is reckoned to need in a key. */
#define SMALL_COLUMN_BYTES 32

static bool
is_unbounded(const char *type)
{
	return strcmp(type, "longtext") == 0 || strcmp(type, "longblob") == 0;
}

static char *
remote_type(Form_pg_attribute attribute, int key_bytes)
{
	StringInfoData out;

	initStringInfo(&out);
	kluster_append_column_type(&out, attribute->atttypid, attribute->atttypmod, NameStr(attribute->attname), key_bytes);
	return out.data;
}

bool
kluster_is_sharded(Oid relid)
{
	HeapTuple	tuple;
	Oid			server;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return false;
	tuple = SearchSysCache1(FOREIGNTABLEREL, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return false;
	server = ((Form_pg_foreign_table) GETSTRUCT(tuple))->ftserver;
	ReleaseSysCache(tuple);
	return server == get_foreign_server_oid(KLUSTER_SERVER, true);
}

static const char *
table_option(Oid relid, const char *name)
{
	ListCell   *cell;

	foreach(cell, GetForeignTable(relid)->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

bool
kluster_is_managed(Oid relid)
{
	const char *managed;

	if (!kluster_is_sharded(relid))
		return false;
	managed = table_option(relid, "managed");
	return managed != NULL && strcmp(managed, "true") == 0;
}

List *
kluster_sharded_tables_of(Oid namespace)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *tables = NIL;

	ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(namespace));
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relid = ((Form_pg_class) GETSTRUCT(tuple))->oid;

		if (kluster_is_managed(relid))
			tables = lappend_oid(tables, relid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tables;
}

Oid
kluster_table_of_index(Oid index)
{
	return IndexGetRelation(index, false);
}

char *
kluster_remote_database(const char *schema)
{
	char	   *name = psprintf("%s_$$_%s", get_database_name(MyDatabaseId), schema);

	if (pg_mbstrlen(name) > NAME_CHARACTERS)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the names of database and schema are too long together for a sharded table"),
				 errdetail("The MySQL database would be called \"%s\"; a name may have %d characters.", name,
						   NAME_CHARACTERS)));
	return name;
}

KlusterTableShape *
kluster_read_place(Oid relid)
{
	KlusterTableShape *shape = palloc0(sizeof(KlusterTableShape));
	const char *shard = table_option(relid, "shard");
	const char *database = table_option(relid, "remote_database");
	const char *table = table_option(relid, "remote_table");

	shape->relid = relid;
	shape->label = get_rel_name(relid);
	if (shard == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("foreign table \"%s\" has no option \"shard\"", shape->label)));
	shape->mirrored = strcmp(shard, "all") == 0;
	shape->shard = shape->mirrored ? 0 : (uint32) strtoul(shard, NULL, 10);
	shape->database = database != NULL ? pstrdup(database) :
		kluster_remote_database(get_namespace_name(get_rel_namespace(relid)));
	shape->table = table != NULL ? pstrdup(table) : shape->label;
	return shape;
}

static char *
remote_column_name(Oid relid, Form_pg_attribute attribute)
{
	ListCell   *cell;

	foreach(cell, GetForeignColumnOptions(relid, attribute->attnum))
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "remote_column") == 0)
			return pstrdup(defGetString(option));
	}
	return pstrdup(NameStr(attribute->attname));
}

static void
read_column(KlusterTableShape *shape, Form_pg_attribute attribute)
{
	KlusterColumnShape *column = &shape->columns[shape->column_count];
	KlusterType mapped;

	column->number = attribute->attnum;
	column->name = remote_column_name(shape->relid, attribute);
	column->type = remote_type(attribute, 0);
	column->pg_type = attribute->atttypid;
	kluster_require_type(attribute->atttypid, attribute->atttypmod, column->name, &mapped);
	column->form = mapped.form;
	column->not_null = attribute->attnotnull;
	if (pg_strcasecmp(column->name, KLUSTER_ROW_ID) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("column name \"%s\" is reserved", column->name)));
	shape->column_count++;
}

static void
read_key(KlusterTableShape *shape, Relation index)
{
	KlusterKeyShape *key = &shape->keys[shape->key_count];
	Form_pg_index form = index->rd_index;

	key->index = RelationGetRelid(index);
	key->name = pstrdup(RelationGetRelationName(index));
	key->primary = form->indisprimary;
	key->unique = form->indisunique;
	key->column_count = form->indnkeyatts;
	key->columns = palloc(sizeof(AttrNumber) * key->column_count);
	key->descending = palloc(sizeof(bool) * key->column_count);
	for (int i = 0; i < key->column_count; i++)
	{
		key->columns[i] = form->indkey.values[i];
		key->descending[i] = (index->rd_indoption[i] & INDOPTION_DESC) != 0;
	}
	shape->has_primary = shape->has_primary || key->primary;
	shape->key_count++;
}

static void
read_keys(KlusterTableShape *shape, Relation relation)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;

	shape->keys = palloc0(sizeof(KlusterKeyShape) * (list_length(indexes) + 1));
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		read_key(shape, index);
		index_close(index, AccessShareLock);
	}
}

const KlusterColumnShape *
kluster_shape_column(const KlusterTableShape *shape, AttrNumber number)
{
	for (int i = 0; i < shape->column_count; i++)
		if (shape->columns[i].number == number)
			return &shape->columns[i];
	return NULL;
}

/* How many bytes every column of unbounded length may have in a key of these. */
static int
share_of_key(const KlusterTableShape *shape, const AttrNumber *columns, int count)
{
	int			unbounded = 0;
	int			rest = KEY_BYTES;

	for (int i = 0; i < count; i++)
	{
		const KlusterColumnShape *column = kluster_shape_column(shape, columns[i]);
		int			length;

		if (column == NULL)
			continue;
		if (is_unbounded(column->type))
			unbounded++;
		else if (sscanf(column->type, "varchar(%d)", &length) == 1 || sscanf(column->type, "char(%d)", &length) == 1)
			rest -= length * CHARACTER_BYTES;
		else
			rest -= SMALL_COLUMN_BYTES;
	}
	return unbounded == 0 ? 0 : rest / unbounded;
}

static void
bound_columns(KlusterTableShape *shape, TupleDesc descriptor, const AttrNumber *columns, int count)
{
	int			bytes = share_of_key(shape, columns, count);

	for (int i = 0; i < count; i++)
	{
		KlusterColumnShape *column = unconstify(KlusterColumnShape *, kluster_shape_column(shape, columns[i]));

		if (column != NULL && is_unbounded(column->type))
			column->type = remote_type(TupleDescAttr(descriptor, columns[i] - 1), bytes);
	}
}

/*
 * Unique and foreign keys need whole values, so a text column in one becomes varchar of the
 * length that a key of InnoDB can hold (PostgreSQL's own limit is lower in bytes).
 */
static void
bound_key_columns(KlusterTableShape *shape, TupleDesc descriptor)
{
	for (int k = 0; k < shape->key_count; k++)
		if (shape->keys[k].unique)
			bound_columns(shape, descriptor, shape->keys[k].columns, shape->keys[k].column_count);
	for (int k = 0; k < shape->foreign_key_count; k++)
		bound_columns(shape, descriptor, shape->foreign_keys[k].columns, shape->foreign_keys[k].column_count);
}

static void
check_shape(const KlusterTableShape *shape)
{
	for (int k = 0; k < shape->key_count; k++)
		for (int i = 0; i < shape->keys[k].column_count; i++)
		{
			const KlusterColumnShape *column = kluster_shape_column(shape, shape->keys[k].columns[i]);

			if (column != NULL && strcmp(column->type, "json") == 0)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("index \"%s\": column \"%s\" is stored as JSON, which cannot be indexed in a shard",
								shape->keys[k].name, column->name)));
		}
	if (shape->column_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot be without columns in a shard", shape->label)));
	if (shape->mirrored && !shape->has_primary)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is mirrored on every shard and needs a primary key", shape->label),
				 errhint("Write it into CREATE TABLE.")));
}

KlusterTableShape *
kluster_read_shape(Oid relid)
{
	KlusterTableShape *shape = kluster_read_place(relid);
	Relation	relation = relation_open(relid, NoLock);
	TupleDesc	descriptor = RelationGetDescr(relation);

	shape->columns = palloc0(sizeof(KlusterColumnShape) * (descriptor->natts + 1));
	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			read_column(shape, TupleDescAttr(descriptor, i));
	read_keys(shape, relation);
	kluster_read_foreign_keys(shape);
	bound_key_columns(shape, descriptor);
	relation_close(relation, NoLock);
	check_shape(shape);
	kluster_check_names(shape);
	return shape;
}

List *
kluster_shards_of(const KlusterTableShape *shape)
{
	const KlusterTopology *topology;
	List	   *shards = NIL;

	if (!shape->mirrored)
		return list_make1_int((int) shape->shard);
	topology = kluster_topology();
	for (int i = 0; i < topology->shard_count; i++)
		shards = lappend_int(shards, (int) topology->shards[i].id);
	return shards;
}
