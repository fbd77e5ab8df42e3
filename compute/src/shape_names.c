/*
 * shape_names.c: which names of PostgreSQL a table in MySQL cannot have.
 */
#include "postgres.h"

#include "table_shape.h"

/* UTF-8 of characters beyond the first plane begins with such a byte. MySQL has no such names. */
#define BEYOND_FIRST_PLANE 0xF0

static void
refuse(const char *what, const char *name, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s \"%s\" cannot have this name in a shard", what, name),
			 errdetail_internal("%s", reason)));
}

static void
check_characters(const char *what, const char *name)
{
	for (const unsigned char *at = (const unsigned char *) name; *at != '\0'; at++)
		if (*at >= BEYOND_FIRST_PLANE)
			refuse(what, name, "Names in MySQL have no characters beyond U+FFFF.");
}

static void
check_name(const char *what, const char *name)
{
	size_t		length = strlen(name);

	check_characters(what, name);
	if (length > 0 && strchr(" \t\n\v\f\r", name[length - 1]) != NULL)
		refuse(what, name, "Names in MySQL do not end with white space.");
}

void
kluster_check_names(const KlusterTableShape *shape)
{
	check_name("the database of schema", shape->database);
	check_name("table", shape->table);
	for (int i = 0; i < shape->column_count; i++)
	{
		check_name("column", shape->columns[i].name);
		for (int j = 0; j < i; j++)
			if (pg_strcasecmp(shape->columns[i].name, shape->columns[j].name) == 0)
				refuse("column", shape->columns[i].name,
					   "Another column has the same name but for upper and lower case, which MySQL does not tell apart.");
	}
	for (int i = 0; i < shape->key_count; i++)
	{
		check_characters("index", shape->keys[i].name);
		for (int j = 0; j < i; j++)
			if (pg_strcasecmp(shape->keys[i].name, shape->keys[j].name) == 0)
				refuse("index", shape->keys[i].name,
					   "Another index of the table has the same name but for upper and lower case, which MySQL does not tell apart.");
	}
}
