/*
 * foreign_key_violation.c: a shard's refusal of a row for the sake of a foreign key, in PostgreSQL's own words.
 *
 * MySQL says: Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `n` FOREIGN KEY (`a`, `b`)
 * REFERENCES `u` (`x`, `y`) ON DELETE CASCADE), or: Cannot delete or update a parent row ..., about the same. The name
 * says nothing, so the foreign key is found by the rest. It may be of a table that the statement does not name, when the
 * change is one that another foreign key has made.
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "foreign_key.h"
#include "foreign_key_violation.h"
#include "options.h"
#include "quote.h"
#include "shape_text.h"
#include "table_shape.h"

static void
append_columns(StringInfo out, Oid relid, const AttrNumber *columns, int count)
{
	for (int i = 0; i < count; i++)
	{
		appendStringInfoString(out, i == 0 ? " (" : ", ");
		kluster_append_identifier(out, kluster_column_name(relid, columns[i]));
	}
	appendStringInfoChar(out, ')');
}

/* MySQL copies a table that gets a foreign key, and speaks of the copy. */
#define COPY_OF_TABLE ".`#sql"

/* MySQL leaves out the database of the referenced table, when both have the same. */
static bool
is_meant(const KlusterForeignKey *key, Oid relid, const char *message)
{
	KlusterTable *table = kluster_table(key->relid);
	KlusterTable *referenced = kluster_table(key->referenced);
	char	   *from = psprintf("(%s, CONSTRAINT ", kluster_table_text(table->database, table->table));
	StringInfoData to;

	initStringInfo(&to);
	appendStringInfoString(&to, " FOREIGN KEY");
	append_columns(&to, key->relid, key->columns, key->count);
	appendStringInfoString(&to, " REFERENCES ");
	if (strcmp(table->database, referenced->database) == 0)
		kluster_append_identifier(&to, referenced->table);
	else
		appendStringInfoString(&to, kluster_table_text(referenced->database, referenced->table));
	append_columns(&to, key->referenced, key->referenced_columns, key->count);
	return strstr(message, to.data) != NULL &&
		(strstr(message, from) != NULL || (key->relid == relid && strstr(message, COPY_OF_TABLE) != NULL));
}

/* Those of the table first: they are few, and nearly always it is one of them. */
static KlusterForeignKey *
violated_key(Oid relid, const char *message)
{
	List	   *candidates = OidIsValid(relid) ? kluster_foreign_keys_of(relid, 0) : NIL;
	ListCell   *cell;

	foreach(cell, list_concat(candidates, kluster_all_foreign_keys()))
	{
		KlusterForeignKey *key = kluster_foreign_key(lfirst_oid(cell));

		/* Temporary tables have PostgreSQL's own. */
		if (kluster_is_sharded(key->relid) && is_meant(key, relid, message))
			return key;
	}
	return NULL;
}

/* "(a, b)=(1, x)" of the row. */
static char *
key_of_row(const KlusterForeignKey *key, TupleTableSlot *row)
{
	StringInfoData names;
	StringInfoData values;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < key->count; i++)
	{
		bool		is_null;
		Datum		value = slot_getattr(row, key->written[i], &is_null);
		Oid			output;
		bool		is_variable;

		getTypeOutputInfo(TupleDescAttr(row->tts_tupleDescriptor, key->written[i] - 1)->atttypid, &output, &is_variable);
		appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", get_attname(key->relid, key->written[i], false));
		appendStringInfo(&values, "%s%s", i == 0 ? "" : ", ", is_null ? "null" : OidOutputFunctionCall(output, value));
	}
	return psprintf("(%s)=(%s)", names.data, values.data);
}

static void
raise_missing(const KlusterForeignKey *key, TupleTableSlot *row)
{
	Relation	relation = table_open(key->relid, AccessShareLock);

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(relation), key->name),
			 row == NULL ?
			 errdetail("Key is not present in table \"%s\".", get_rel_name(key->referenced)) :
			 errdetail("Key %s is not present in table \"%s\".", key_of_row(key, row), get_rel_name(key->referenced)),
			 errtableconstraint(relation, key->name)));
}

static void
raise_referenced(const KlusterForeignKey *key)
{
	Relation	relation = table_open(key->relid, AccessShareLock);

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
					get_rel_name(key->referenced), key->name, RelationGetRelationName(relation)),
			 errdetail("Key is still referenced from table \"%s\".", RelationGetRelationName(relation)),
			 errtableconstraint(relation, key->name)));
}

void
kluster_raise_foreign_key_violation(Oid relid, TupleTableSlot *row, const char *message)
{
	KlusterForeignKey *key = violated_key(relid, message);

	if (key == NULL)
		return;
	if (strstr(message, "Cannot delete or update a parent row") != NULL)
		raise_referenced(key);
	raise_missing(key, relid == key->relid ? row : NULL);
}
