/*
 * shape_foreign_key.c: foreign keys as parts of what a table looks like in MySQL.
 */
#include "postgres.h"

#include <ctype.h>

#include "nodes/parsenodes.h"
#include "utils/syscache.h"

#include "connection.h"
#include "ddl_work.h"
#include "foreign_key.h"
#include "options.h"
#include "quote.h"
#include "shape_cascade.h"
#include "shape_foreign_key.h"
#include "shape_text.h"

/* Of a name in MySQL, the part that is PostgreSQL's: the rest is "_<token>_<number>", and a name has 64 characters. */
#define READABLE_CHARACTERS 36

static const char *
action_text(char action)
{
	switch (action)
	{
		case FKCONSTR_ACTION_RESTRICT:
			return "RESTRICT";
		case FKCONSTR_ACTION_CASCADE:
			return "CASCADE";
		case FKCONSTR_ACTION_SETNULL:
			return "SET NULL";
		default:
			return "NO ACTION";
	}
}

static void
read_foreign_key(KlusterTableShape *shape, const KlusterForeignKey *key)
{
	KlusterForeignKeyShape *to = &shape->foreign_keys[shape->foreign_key_count++];
	KlusterTableShape *place = kluster_read_place(key->referenced);

	to->constraint = key->constraint;
	to->label = key->name;
	to->column_count = key->count;
	to->columns = key->columns;
	to->refers_to = key->referenced;
	to->database = place->database;
	to->table = place->table;
	to->referenced = palloc(sizeof(char *) * key->count);
	for (int i = 0; i < key->count; i++)
		to->referenced[i] = kluster_column_name(key->referenced, key->referenced_columns[i]);
	to->on_delete = action_text(key->on_delete);
	to->on_update = action_text(key->on_update);
}

void
kluster_read_foreign_keys(KlusterTableShape *shape)
{
	List	   *constraints = kluster_foreign_keys_of(shape->relid, 0);
	ListCell   *cell;

	shape->foreign_keys = palloc0(sizeof(KlusterForeignKeyShape) * (list_length(constraints) + 1));
	foreach(cell, constraints)
	{
		KlusterForeignKey *key = kluster_foreign_key(lfirst_oid(cell));

		if (key->relid != shape->relid)
			continue;
		kluster_check_cascades(key);
		read_foreign_key(shape, key);
	}
}

char *
kluster_foreign_key_text(const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "FOREIGN KEY (");
	for (int i = 0; i < key->column_count; i++)
	{
		appendStringInfoString(&out, i == 0 ? "" : ", ");
		kluster_append_identifier(&out, kluster_shape_column(shape, key->columns[i])->name);
	}
	appendStringInfo(&out, ") REFERENCES %s (", kluster_table_text(key->database, key->table));
	for (int i = 0; i < key->column_count; i++)
	{
		appendStringInfoString(&out, i == 0 ? "" : ", ");
		kluster_append_identifier(&out, key->referenced[i]);
	}
	appendStringInfo(&out, ") ON DELETE %s ON UPDATE %s", key->on_delete, key->on_update);
	return out.data;
}

static bool
serves(const KlusterTableShape *shape, const KlusterKeyShape *index, const KlusterForeignKeyShape *key)
{
	bool		serves = index->column_count >= key->column_count;

	for (int i = 0; serves && i < key->column_count; i++)
		serves = index->columns[i] == key->columns[i] && !index->descending[i] &&
			kluster_key_prefix(index, kluster_shape_column(shape, key->columns[i])->type) == 0;
	return serves;
}

bool
kluster_needs_index(const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	for (int i = 0; i < shape->key_count; i++)
		if (serves(shape, &shape->keys[i], key))
			return false;
	return true;
}

KlusterForeignKeyShape *
kluster_shape_foreign_key(const KlusterTableShape *shape, Oid constraint)
{
	for (int i = 0; i < shape->foreign_key_count; i++)
		if (shape->foreign_keys[i].constraint == constraint)
			return &shape->foreign_keys[i];
	return NULL;
}

/* The same, with room for its foreign keys. */
static KlusterTableShape *
without_foreign_keys(const KlusterTableShape *shape)
{
	KlusterTableShape *bare = palloc(sizeof(KlusterTableShape));

	*bare = *shape;
	bare->foreign_key_count = 0;
	bare->foreign_keys = palloc0(sizeof(KlusterForeignKeyShape) * (shape->foreign_key_count + 1));
	return bare;
}

KlusterTableShape *
kluster_common_foreign_keys(const KlusterTableShape *shape, const KlusterTableShape *other)
{
	KlusterTableShape *common = without_foreign_keys(shape);

	for (int i = 0; i < shape->foreign_key_count; i++)
		if (kluster_shape_foreign_key(other, shape->foreign_keys[i].constraint) != NULL)
			common->foreign_keys[common->foreign_key_count++] = shape->foreign_keys[i];
	return common;
}

KlusterTableShape *
kluster_without_references(const KlusterTableShape *shape)
{
	KlusterTableShape *rest = without_foreign_keys(shape);

	for (int i = 0; i < shape->foreign_key_count; i++)
		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(shape->foreign_keys[i].refers_to)))
			rest->foreign_keys[rest->foreign_key_count++] = shape->foreign_keys[i];
	return rest;
}

/* A name that no foreign key of the cluster has, by the number that marks have. */
static char *
new_name(const char *label)
{
	char	   *name = psprintf("%.*s %s", READABLE_CHARACTERS, label, strchr(kluster_work_mark(), ' ') + 1);

	for (char *at = name; *at != '\0'; at++)
		if (!isalnum((unsigned char) *at) || IS_HIGHBIT_SET(*at))
			*at = '_';
	return name;
}

/* What is asked of MySQL: one row for each column, those of a foreign key together, in their order. */
static char *
question(const KlusterTableShape *shape)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME,"
						   " k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE, k.ORDINAL_POSITION"
						   " FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r"
						   " ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME"
						   " AND r.TABLE_NAME = k.TABLE_NAME WHERE k.TABLE_SCHEMA = ");
	kluster_append_literal(&sql, shape->database, strlen(shape->database));
	appendStringInfoString(&sql, " AND k.TABLE_NAME = ");
	kluster_append_literal(&sql, shape->table, strlen(shape->table));
	appendStringInfoString(&sql, " ORDER BY k.CONSTRAINT_NAME, k.ORDINAL_POSITION");
	return sql.data;
}

/* Is the row of MySQL's answer about that column of the key? */
static bool
is_about(const KlusterTableShape *shape, const KlusterForeignKeyShape *key, int column, char **row)
{
	return column < key->column_count && strcmp(row[1], kluster_shape_column(shape, key->columns[column])->name) == 0 &&
		strcmp(row[2], key->database) == 0 && strcmp(row[3], key->table) == 0 && strcmp(row[4], key->referenced[column]) == 0 &&
		strcmp(row[5], key->on_delete) == 0 && strcmp(row[6], key->on_update) == 0;
}

/* Foreign keys of MySQL's answer, one after another, and how many of their columns fit each of ours. */
typedef struct Answer
{
	char	   *name;
	int			columns;
	int		   *fitting;
} Answer;

static void
take_name(const KlusterTableShape *shape, const Answer *answer)
{
	for (int i = 0; answer->name != NULL && i < shape->foreign_key_count; i++)
	{
		KlusterForeignKeyShape *key = &shape->foreign_keys[i];

		if (key->name != NULL || answer->fitting[i] != answer->columns || answer->columns != key->column_count)
			continue;
		/* One that says the same twice has two names: each takes its own. */
		key->name = answer->name;
		return;
	}
}

static void
ask_names(const KlusterTableShape *shape, uint32 shard)
{
	KlusterResult *result = kluster_query(kluster_ddl_connection(shard), question(shape));
	Answer		answer = {.fitting = palloc0(sizeof(int) * (shape->foreign_key_count + 1))};
	char	  **row;
	unsigned long *lengths;

	while (kluster_fetch(result, &row, &lengths))
	{
		if (atoi(row[7]) == 1)
		{
			take_name(shape, &answer);
			answer.name = pstrdup(row[0]);
			answer.columns = 0;
			memset(answer.fitting, 0, sizeof(int) * shape->foreign_key_count);
		}
		for (int i = 0; i < shape->foreign_key_count; i++)
			if (is_about(shape, &shape->foreign_keys[i], answer.columns, row))
				answer.fitting[i]++;
		answer.columns++;
	}
	take_name(shape, &answer);
	kluster_close(result);
}

/* Does anything change that has a foreign key's name in MySQL? */
static bool
changes(const KlusterTableShape *before, const KlusterTableShape *after)
{
	if (before->foreign_key_count != after->foreign_key_count)
		return true;
	for (int i = 0; i < before->foreign_key_count; i++)
	{
		const KlusterForeignKeyShape *old = &before->foreign_keys[i];
		const KlusterForeignKeyShape *new = kluster_shape_foreign_key(after, old->constraint);

		if (new == NULL || kluster_needs_index(before, old) != kluster_needs_index(after, new))
			return true;
	}
	return false;
}

void
kluster_name_foreign_keys(const KlusterTableShape *before, const KlusterTableShape *after, uint32 shard)
{
	if (before != NULL && !changes(before, after))
		return;
	for (int i = 0; before != NULL && i < before->foreign_key_count; i++)
		before->foreign_keys[i].name = NULL;
	if (before != NULL && before->foreign_key_count > 0)
		ask_names(before, shard);
	for (int i = 0; i < after->foreign_key_count; i++)
	{
		KlusterForeignKeyShape *key = &after->foreign_keys[i];
		const KlusterForeignKeyShape *old = before == NULL ? NULL : kluster_shape_foreign_key(before, key->constraint);

		key->name = old == NULL ? new_name(key->label) : old->name;
	}
}
