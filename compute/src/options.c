/*
 * options.c: reads and checks the options of foreign tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_table.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "options.h"
#include "table_shape.h"

PG_FUNCTION_INFO_V1(kluster_fdw_validator);

typedef struct Option
{
	const char *name;
	Oid			catalog;		/* of what it is an option */
} Option;

static const Option options[] = {
	{"shard", ForeignTableRelationId},
	{"remote_database", ForeignTableRelationId},
	{"remote_table", ForeignTableRelationId},
	{"row_column", ForeignTableRelationId},
	{"managed", ForeignTableRelationId},
	{"remote_column", AttributeRelationId},
	{"key", AttributeRelationId},
};

static void
check_known(const DefElem *element, Oid catalog)
{
	for (size_t i = 0; i < lengthof(options); i++)
		if (options[i].catalog == catalog && strcmp(options[i].name, element->defname) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("kluster_fdw has no option \"%s\" here", element->defname)));
}

static bool
parse_shard(const char *text, uint32 *shard)
{
	char	   *end;
	unsigned long value;

	if (strcmp(text, "all") == 0)
	{
		*shard = KLUSTER_ALL_SHARDS;
		return true;
	}
	if (*text < '1' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || value > PG_UINT32_MAX)
		return false;
	*shard = (uint32) value;
	return true;
}

static void
check_value(DefElem *element)
{
	const char *value = defGetString(element);
	uint32		shard;

	if (strcmp(element->defname, "shard") == 0 && !parse_shard(value, &shard))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value of option shard: \"%s\"", value),
				 errhint("It is the id of a shard, or 'all'.")));
	if (strcmp(element->defname, "key") == 0 || strcmp(element->defname, "managed") == 0)
		(void) defGetBoolean(element);
	else if (*value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option %s is empty", element->defname)));
}

Datum
kluster_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *given = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	ListCell   *cell;

	foreach(cell, given)
	{
		check_known(lfirst_node(DefElem, cell), catalog);
		check_value(lfirst_node(DefElem, cell));
	}
	PG_RETURN_VOID();
}

static char *
option_text(List *from, const char *name)
{
	ListCell   *cell;

	foreach(cell, from)
	{
		DefElem    *element = lfirst_node(DefElem, cell);

		if (strcmp(element->defname, name) == 0)
			return pstrdup(defGetString(element));
	}
	return NULL;
}

/* The columns of the primary key that the catalogs know; NULL when there is none. */
static Bitmapset *
primary_key_columns(Relation relation)
{
	Oid			primary = RelationGetPrimaryKeyIndex(relation);
	Bitmapset  *columns = NULL;
	Relation	index;

	if (!OidIsValid(primary))
		return NULL;
	index = index_open(primary, AccessShareLock);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		columns = bms_add_member(columns, index->rd_index->indkey.values[i]);
	index_close(index, AccessShareLock);
	return columns;
}

static bool
has_primary_key(Oid relid)
{
	Relation	relation = relation_open(relid, AccessShareLock);
	bool		has = OidIsValid(RelationGetPrimaryKeyIndex(relation));

	relation_close(relation, AccessShareLock);
	return has;
}

KlusterTable *
kluster_table(Oid relation)
{
	ForeignTable *foreign = GetForeignTable(relation);
	KlusterTable *table = palloc0(sizeof(KlusterTable));
	char	   *shard = option_text(foreign->options, "shard");

	if (shard == NULL || !parse_shard(shard, &table->shard))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("table \"%s\" has no option shard", get_rel_name(relation))));
	table->database = option_text(foreign->options, "remote_database");
	if (table->database == NULL)
		table->database = psprintf("%s_$$_%s", get_database_name(MyDatabaseId),
								   get_namespace_name(get_rel_namespace(relation)));
	table->table = option_text(foreign->options, "remote_table");
	if (table->table == NULL)
		table->table = get_rel_name(relation);
	table->row_column = option_text(foreign->options, "row_column");
	/* Not of a mirrored table: the shards number rows each for itself. */
	if (table->row_column == NULL && table->shard != KLUSTER_ALL_SHARDS && kluster_is_managed(relation) && !has_primary_key(relation))
		table->row_column = KLUSTER_ROW_ID;
	return table;
}

char *
kluster_column_name(Oid relation, AttrNumber attribute)
{
	char	   *name = option_text(GetForeignColumnOptions(relation, attribute), "remote_column");

	return name != NULL ? name : get_attname(relation, attribute, false);
}

static bool
is_key(Oid relation, AttrNumber attribute)
{
	ListCell   *cell;

	foreach(cell, GetForeignColumnOptions(relation, attribute))
	{
		DefElem    *element = lfirst_node(DefElem, cell);

		if (strcmp(element->defname, "key") == 0)
			return defGetBoolean(element);
	}
	return false;
}

Bitmapset *
kluster_key_columns(Oid relation)
{
	Relation	opened = relation_open(relation, NoLock);
	TupleDesc	columns = RelationGetDescr(opened);
	Bitmapset  *keys = primary_key_columns(opened);

	for (int i = 0; i < columns->natts; i++)
		if (!TupleDescAttr(columns, i)->attisdropped && is_key(relation, TupleDescAttr(columns, i)->attnum))
			keys = bms_add_member(keys, TupleDescAttr(columns, i)->attnum);
	relation_close(opened, NoLock);
	return keys;
}
