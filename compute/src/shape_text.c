/*
 * shape_text.c: the MySQL statements that make a table have a shape.
 *
 * Column defaults are not repeated at the shard: the compute node evaluates them
 * and sends values for all columns. Only rows that are there when a column is
 * added need its default from MySQL.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "quote.h"
#include "shape_foreign_key.h"
#include "shape_text.h"

/* What an index that is not unique keeps of a long column. */
#define PREFIX_CHARACTERS 191
#define PREFIX_BYTES 764

#define ROW_ID_TEXT "`" KLUSTER_ROW_ID "` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY"

char *
kluster_table_text(const char *database, const char *table)
{
	StringInfoData out;

	initStringInfo(&out);
	kluster_append_identifier(&out, database);
	appendStringInfoChar(&out, '.');
	kluster_append_identifier(&out, table);
	return out.data;
}

char *
kluster_create_database_text(const char *database)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "CREATE DATABASE IF NOT EXISTS ");
	kluster_append_identifier(&out, database);
	appendStringInfoString(&out, " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin");
	return out.data;
}

static bool
is_unbounded(const char *type)
{
	size_t		length = strlen(type);

	return length >= 4 && (strcmp(type + length - 4, "text") == 0 || strcmp(type + length - 4, "blob") == 0);
}

static void
append_column(StringInfo out, const KlusterColumnShape *column, bool not_null)
{
	kluster_append_identifier(out, column->name);
	appendStringInfo(out, " %s %s", column->type, not_null ? "NOT NULL" : "NULL");
}

/* A column that is new in a table with rows: these get its default. */
static void
append_added_column(StringInfo out, const KlusterColumnShape *column)
{
	append_column(out, column, column->not_null);
	if (column->initial == NULL)
		return;
	/* Only as an expression MySQL takes every literal for every type. */
	appendStringInfo(out, " DEFAULT (%s)", column->initial);
}

int
kluster_key_prefix(const KlusterKeyShape *key, const char *type)
{
	int			length;

	if (key->unique)
		return 0;
	if (is_unbounded(type))
		return strcmp(type + strlen(type) - 4, "blob") == 0 ? PREFIX_BYTES : PREFIX_CHARACTERS;
	if (sscanf(type, "varchar(%d)", &length) == 1 && length > PREFIX_CHARACTERS)
		return PREFIX_CHARACTERS;
	return 0;
}

static void
append_key(StringInfo out, const KlusterTableShape *shape, const KlusterKeyShape *key)
{
	if (key->primary)
		appendStringInfoString(out, "PRIMARY KEY (");
	else
	{
		appendStringInfoString(out, key->unique ? "UNIQUE KEY " : "KEY ");
		kluster_append_identifier(out, key->name);
		appendStringInfoString(out, " (");
	}
	for (int i = 0; i < key->column_count; i++)
	{
		const KlusterColumnShape *column = kluster_shape_column(shape, key->columns[i]);
		int			prefix = kluster_key_prefix(key, column->type);

		if (i > 0)
			appendStringInfoString(out, ", ");
		kluster_append_identifier(out, column->name);
		if (prefix > 0)
			appendStringInfo(out, "(%d)", prefix);
		if (key->descending[i])
			appendStringInfoString(out, " DESC");
	}
	appendStringInfoChar(out, ')');
}

/* The index of a foreign key that has its own. */
static void
append_own_index(StringInfo out, const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	appendStringInfoString(out, "KEY ");
	kluster_append_identifier(out, key->name);
	appendStringInfoString(out, " (");
	for (int i = 0; i < key->column_count; i++)
	{
		appendStringInfoString(out, i == 0 ? "" : ", ");
		kluster_append_identifier(out, kluster_shape_column(shape, key->columns[i])->name);
	}
	appendStringInfoChar(out, ')');
}

static void
append_foreign_key(StringInfo out, const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	appendStringInfoString(out, "CONSTRAINT ");
	kluster_append_identifier(out, key->name);
	appendStringInfo(out, " %s", kluster_foreign_key_text(shape, key));
}

char *
kluster_create_table_text(const KlusterTableShape *shape, const char *mark)
{
	StringInfoData out;
	const char *separator = "";

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE TABLE %s (", kluster_table_text(shape->database, shape->table));
	if (!shape->has_primary)
	{
		appendStringInfoString(&out, ROW_ID_TEXT);
		separator = ", ";
	}
	for (int i = 0; i < shape->column_count; i++)
	{
		appendStringInfoString(&out, separator);
		append_column(&out, &shape->columns[i], shape->columns[i].not_null);
		separator = ", ";
	}
	for (int i = 0; i < shape->key_count; i++)
	{
		appendStringInfoString(&out, separator);
		append_key(&out, shape, &shape->keys[i]);
		separator = ", ";
	}
	for (int i = 0; i < shape->foreign_key_count; i++)
	{
		appendStringInfoString(&out, separator);
		if (kluster_needs_index(shape, &shape->foreign_keys[i]))
		{
			append_own_index(&out, shape, &shape->foreign_keys[i]);
			appendStringInfoString(&out, ", ");
		}
		append_foreign_key(&out, shape, &shape->foreign_keys[i]);
		separator = ", ";
	}
	appendStringInfoString(&out, ") ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin COMMENT ");
	kluster_append_literal(&out, mark, strlen(mark));
	return out.data;
}

/* The clauses of one ALTER TABLE under construction. */
typedef struct Clauses
{
	StringInfoData text;
} Clauses;

static StringInfo
next_clause(Clauses *clauses)
{
	if (clauses->text.len > 0)
		appendStringInfoString(&clauses->text, ", ");
	return &clauses->text;
}

static const KlusterKeyShape *
key_of(const KlusterTableShape *shape, Oid index)
{
	for (int i = 0; i < shape->key_count; i++)
		if (shape->keys[i].index == index)
			return &shape->keys[i];
	return NULL;
}

static const KlusterKeyShape *
primary_of(const KlusterTableShape *shape)
{
	for (int i = 0; i < shape->key_count; i++)
		if (shape->keys[i].primary)
			return &shape->keys[i];
	return NULL;
}

static void
change_column(Clauses *clauses, const KlusterColumnShape *from, const KlusterColumnShape *to)
{
	StringInfo	out;
	bool		renamed = strcmp(from->name, to->name) != 0;

	if (!renamed && strcmp(from->type, to->type) == 0 && from->not_null == to->not_null)
		return;
	out = next_clause(clauses);
	if (renamed)
	{
		appendStringInfoString(out, "CHANGE COLUMN ");
		kluster_append_identifier(out, from->name);
		appendStringInfoChar(out, ' ');
	}
	else
		appendStringInfoString(out, "MODIFY COLUMN ");
	append_column(out, to, to->not_null);
}

/* `kind`: COLUMN, INDEX, FOREIGN KEY */
static void
drop_named(Clauses *clauses, const char *kind, const char *name)
{
	StringInfo	out = next_clause(clauses);

	appendStringInfo(out, "DROP %s ", kind);
	kluster_append_identifier(out, name);
}

static void
drop_key(Clauses *clauses, const KlusterKeyShape *key)
{
	if (key->primary)
		appendStringInfoString(next_clause(clauses), "DROP PRIMARY KEY");
	else
		drop_named(clauses, "INDEX", key->name);
}

static void
add_key(Clauses *clauses, const KlusterTableShape *shape, const KlusterKeyShape *key)
{
	StringInfo	out = next_clause(clauses);

	appendStringInfoString(out, "ADD ");
	append_key(out, shape, key);
}

static const KlusterColumnShape *
column_named(const KlusterTableShape *shape, const char *name)
{
	for (int i = 0; i < shape->column_count; i++)
		if (pg_strcasecmp(shape->columns[i].name, name) == 0)
			return &shape->columns[i];
	return NULL;
}

/*
 * A dropped column goes at commit. Until then it must not be in the way of rows
 * that do not know it, nor of a new column of its name.
 */
static void
retire_column(const KlusterTableShape *after, const KlusterColumnShape *column, Clauses *now, Clauses *back,
			  Clauses *at_commit)
{
	KlusterColumnShape retired = *column;

	if (column_named(after, column->name) != NULL)
		retired.name = psprintf("kluster_dropped_%d", column->number);
	retired.not_null = false;
	change_column(now, column, &retired);
	change_column(back, &retired, column);
	drop_named(at_commit, "COLUMN", retired.name);
}

static void
compare_columns(const KlusterTableShape *before, const KlusterTableShape *after, Clauses *now, Clauses *back,
				Clauses *at_commit)
{
	for (int i = 0; i < before->column_count; i++)
	{
		const KlusterColumnShape *old = &before->columns[i];
		const KlusterColumnShape *new = kluster_shape_column(after, old->number);

		if (new == NULL)
		{
			retire_column(after, old, now, back, at_commit);
			continue;
		}
		change_column(now, old, new);
		change_column(back, new, old);
	}
	for (int i = 0; i < after->column_count; i++)
	{
		StringInfo	out;

		if (kluster_shape_column(before, after->columns[i].number) != NULL)
			continue;
		out = next_clause(now);
		appendStringInfoString(out, "ADD COLUMN ");
		append_added_column(out, &after->columns[i]);
		drop_named(back, "COLUMN", after->columns[i].name);
	}
}

/* The primary key: one takes the place of the other, or of the hidden key. */
static void
compare_primary(const KlusterTableShape *before, const KlusterTableShape *after, Clauses *now, Clauses *back)
{
	const KlusterKeyShape *old = primary_of(before);
	const KlusterKeyShape *new = primary_of(after);

	if (old != NULL && new != NULL && old->index == new->index)
		return;
	if (old == NULL && new == NULL)
		return;
	if (old != NULL)
	{
		drop_key(now, old);
		add_key(back, before, old);
	}
	else
	{
		drop_named(now, "COLUMN", KLUSTER_ROW_ID);
		appendStringInfoString(next_clause(back), "ADD COLUMN " ROW_ID_TEXT);
	}
	if (new != NULL)
	{
		add_key(now, after, new);
		drop_key(back, new);
	}
	else
	{
		appendStringInfoString(next_clause(now), "ADD COLUMN " ROW_ID_TEXT);
		drop_named(back, "COLUMN", KLUSTER_ROW_ID);
	}
}

static void
rename_key(Clauses *clauses, const char *from, const char *to)
{
	StringInfo	out = next_clause(clauses);

	appendStringInfoString(out, "RENAME INDEX ");
	kluster_append_identifier(out, from);
	appendStringInfoString(out, " TO ");
	kluster_append_identifier(out, to);
}

static void
compare_keys(const KlusterTableShape *before, const KlusterTableShape *after, Clauses *now, Clauses *back)
{
	for (int i = 0; i < before->key_count; i++)
	{
		const KlusterKeyShape *old = &before->keys[i];
		const KlusterKeyShape *new = key_of(after, old->index);

		if (old->primary)
			continue;
		if (new == NULL)
		{
			drop_key(now, old);
			add_key(back, before, old);
		}
		else if (strcmp(old->name, new->name) != 0)
		{
			rename_key(now, old->name, new->name);
			rename_key(back, new->name, old->name);
		}
	}
	for (int i = 0; i < after->key_count; i++)
	{
		const KlusterKeyShape *new = &after->keys[i];

		if (new->primary || key_of(before, new->index) != NULL)
			continue;
		add_key(now, after, new);
		drop_key(back, new);
	}
}

static void
add_own_index(Clauses *clauses, const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	StringInfo	out = next_clause(clauses);

	appendStringInfoString(out, "ADD ");
	append_own_index(out, shape, key);
}

/* With its own index, if it has one. */
static void
add_foreign_key(Clauses *clauses, const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	StringInfo	out;

	if (kluster_needs_index(shape, key))
		add_own_index(clauses, shape, key);
	out = next_clause(clauses);
	appendStringInfoString(out, "ADD ");
	append_foreign_key(out, shape, key);
}

static void
drop_foreign_key(Clauses *clauses, const KlusterTableShape *shape, const KlusterForeignKeyShape *key)
{
	drop_named(clauses, "FOREIGN KEY", key->name);
	if (kluster_needs_index(shape, key))
		drop_named(clauses, "INDEX", key->name);
}

/* One that stays needs an index of its own once the last other one goes, and none any more when there is another. */
static void
compare_own_index(const KlusterTableShape *before, const KlusterTableShape *after, const KlusterForeignKeyShape *key,
				  Clauses *now, Clauses *back)
{
	bool		had = kluster_needs_index(before, key);

	if (had == kluster_needs_index(after, key) || key->name == NULL)
		return;
	if (had)
	{
		drop_named(now, "INDEX", key->name);
		add_own_index(back, before, key);
	}
	else
	{
		add_own_index(now, after, key);
		drop_named(back, "INDEX", key->name);
	}
}

static void
compare_foreign_keys(const KlusterTableShape *before, const KlusterTableShape *after, Clauses *now, Clauses *back)
{
	for (int i = 0; i < before->foreign_key_count; i++)
	{
		const KlusterForeignKeyShape *old = &before->foreign_keys[i];

		/* Somebody has dropped it by hand, when it has no name: there is nothing to do. */
		if (kluster_shape_foreign_key(after, old->constraint) != NULL)
			compare_own_index(before, after, old, now, back);
		else if (old->name != NULL)
		{
			drop_foreign_key(now, before, old);
			add_foreign_key(back, before, old);
		}
	}
	for (int i = 0; i < after->foreign_key_count; i++)
	{
		const KlusterForeignKeyShape *new = &after->foreign_keys[i];

		if (kluster_shape_foreign_key(before, new->constraint) != NULL)
			continue;
		add_foreign_key(now, after, new);
		drop_foreign_key(back, after, new);
	}
}

static void
compare_names(const KlusterTableShape *before, const KlusterTableShape *after, Clauses *now, Clauses *back)
{
	if (strcmp(before->database, after->database) == 0 && strcmp(before->table, after->table) == 0)
		return;
	appendStringInfo(next_clause(now), "RENAME TO %s", kluster_table_text(after->database, after->table));
	appendStringInfo(next_clause(back), "RENAME TO %s", kluster_table_text(before->database, before->table));
}

static char *
text_or_null(const Clauses *clauses)
{
	return clauses->text.len > 0 ? clauses->text.data : NULL;
}

KlusterShapeChange
kluster_shape_change(const KlusterTableShape *before, const KlusterTableShape *after)
{
	Clauses		now;
	Clauses		back;
	Clauses		at_commit;
	KlusterShapeChange change;

	initStringInfo(&now.text);
	initStringInfo(&back.text);
	initStringInfo(&at_commit.text);
	compare_keys(before, after, &now, &back);
	compare_foreign_keys(before, after, &now, &back);
	compare_primary(before, after, &now, &back);
	compare_columns(before, after, &now, &back, &at_commit);
	compare_names(before, after, &now, &back);
	change.now = text_or_null(&now);
	change.back = text_or_null(&back);
	change.at_commit = text_or_null(&at_commit);
	return change;
}
