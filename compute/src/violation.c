/*
 * violation.c: a shard's refusal of a row, in PostgreSQL's own words.
 *
 * MySQL names the key and what it would contain: Duplicate entry '5-x' for key 'table.key'. Values of several columns
 * are joined by "-", bytes are escaped as \xFF, and all is cut after 64 bytes. The detail is left out when it
 * cannot be taken apart in exactly one way, and the row is not at hand: better none than a wrong one.
 */
#include "postgres.h"

#include <ctype.h>
#include <mysqld_error.h>

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "foreign_key_violation.h"
#include "options.h"
#include "value.h"
#include "violation.h"

/* MySQL shows so many bytes of an entry, or up to three fewer, so as not to cut a character. */
#define SHOWN_BYTES 64

/* A hand-made table in MySQL may have them. */
#define CHECK_IS_VIOLATED 3819

/* The key's values as MySQL shows them, being taken apart. */
typedef struct Entry
{
	int			columns;
	KlusterCodec **codecs;
	char	  **parts;			/* of the way that is being tried */
	char	  **found;			/* of the only way so far */
	int			ways;
} Entry;

/* What stands between the first `before` and the last `after` of the message; NULL: it has another form. */
static char *
part_of_message(const char *message, const char *before, const char *after)
{
	const char *start = strstr(message, before);
	const char *end = NULL;

	if (start == NULL)
		return NULL;
	start += strlen(before);
	for (const char *next = strstr(start, after); next != NULL; next = strstr(next + 1, after))
		end = next;
	return end == NULL ? NULL : pnstrdup(start, end - start);
}

static bool
is_hexadecimal(const char *text, int *value)
{
	char		digits[3] = {text[0], text[0] == '\0' ? '\0' : text[1], '\0'};
	char	   *end;

	*value = (int) strtol(digits, &end, 16);
	return isxdigit((unsigned char) digits[0]) && end == digits + 2;
}

/* The bytes that MySQL shows as text with \xFF in it; false: it was cut within one. */
static bool
read_bytes(const char *text, char **bytes, int *length)
{
	StringInfoData out;
	int			value;

	initStringInfo(&out);
	for (const char *at = text; *at != '\0'; at++)
	{
		if (at[0] == '\\' && at[1] == 'x')
		{
			if (!is_hexadecimal(at + 2, &value))
				return false;
			appendStringInfoChar(&out, (char) value);
			at += 3;
		}
		else
			appendStringInfoChar(&out, *at);
	}
	*bytes = out.data;
	*length = out.len;
	return true;
}

/* Does text consist of such characters, like "9999-99-99", where 9 is any digit and the rest stands for itself? */
static bool
has_pattern(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; text++, pattern++)
		if (*pattern == '9' ? !isdigit((unsigned char) *text) : *text != *pattern)
			return false;
	return *text == '\0' || (*text == '.' && strspn(text + 1, "0123456789") == strlen(text + 1));
}

static bool
is_number(const char *text, const char *characters)
{
	const char *digits = *text == '-' ? text + 1 : text;

	return *digits != '\0' && *digits != '-' && strspn(digits, characters) == strlen(digits);
}

static bool
is_value_of(KlusterForm form, const char *text)
{
	char	   *bytes;
	int			length;

	switch (form)
	{
		case KLUSTER_BOOLEAN:
			return strcmp(text, "0") == 0 || strcmp(text, "1") == 0;
		case KLUSTER_INTEGER:
			return is_number(text, "0123456789");
		case KLUSTER_DECIMAL:
			return is_number(text, "0123456789.");
		case KLUSTER_FLOAT:
			return is_number(text, "0123456789.e+-");
		case KLUSTER_DATE:
			return has_pattern(text, "9999-99-99");
		case KLUSTER_TIME:
			return has_pattern(text, "99:99:99");
		case KLUSTER_TIMESTAMP:
		case KLUSTER_TIMESTAMPTZ:
			return has_pattern(text, "9999-99-99 99:99:99");
		case KLUSTER_UUID:
			return read_bytes(text, &bytes, &length) && length == 16;
		default:
			return true;
	}
}

/* Counts the ways to take `rest` apart from `column` on; remembers the first one. */
static void
take_apart(Entry *entry, int column, const char *rest)
{
	bool		is_last = column == entry->columns - 1;
	const char *end = is_last ? rest + strlen(rest) : strchr(rest, '-');

	for (; end != NULL && entry->ways < 2; end = *end == '\0' ? NULL : strchr(end + 1, '-'))
	{
		entry->parts[column] = pnstrdup(rest, end - rest);
		if (!is_value_of(entry->codecs[column]->mapped.form, entry->parts[column]))
			continue;
		if (!is_last)
			take_apart(entry, column + 1, end + 1);
		else if (++entry->ways == 1)
			memcpy(entry->found, entry->parts, sizeof(char *) * entry->columns);
	}
}

static Datum
read_part(KlusterCodec *codec, char *text)
{
	int			length = (int) strlen(text);

	if (codec->mapped.form == KLUSTER_UUID || codec->mapped.form == KLUSTER_BYTES)
		(void) read_bytes(text, &text, &length);
	return kluster_read_value(codec, text, length);
}

/* The key's values from MySQL's text; false when they are not certain. */
static bool
values_of_entry(Relation relation, Relation index, const char *text, Datum *values)
{
	Entry		entry = {.columns = index->rd_index->indnkeyatts};
	KlusterForm last;

	entry.codecs = palloc(sizeof(KlusterCodec *) * entry.columns);
	entry.parts = palloc(sizeof(char *) * entry.columns);
	entry.found = palloc(sizeof(char *) * entry.columns);
	for (int i = 0; i < entry.columns; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), index->rd_index->indkey.values[i] - 1);

		entry.codecs[i] = kluster_comparand_codec(column->atttypid, column->atttypmod);
	}
	last = entry.codecs[entry.columns - 1]->mapped.form;
	if (strlen(text) + 3 >= SHOWN_BYTES && last != KLUSTER_UUID)
		return false;
	take_apart(&entry, 0, text);
	for (int i = 0; i < entry.columns && entry.ways == 1; i++)
		values[i] = read_part(entry.codecs[i], entry.found[i]);
	return entry.ways == 1;
}

static void
values_of_row(Relation index, TupleTableSlot *row, Datum *values, bool *nulls)
{
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		values[i] = slot_getattr(row, index->rd_index->indkey.values[i], &nulls[i]);
}

/* MySQL's name of the key is at the end of the message. */
static bool
names_key(const char *message, const char *key)
{
	char	   *end = psprintf(".%s'", key);
	size_t		length = strlen(end);

	return strlen(message) >= length && strcmp(message + strlen(message) - length, end) == 0;
}

/* The index that MySQL speaks of, open; NULL: PostgreSQL has no such index. */
static Relation
violated_index(Relation relation, const char *message)
{
	Oid			primary = RelationGetPrimaryKeyIndex(relation);
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(relation))
	{
		Oid			index = lfirst_oid(cell);

		if (names_key(message, index == primary ? "PRIMARY" : get_rel_name(index)))
			return index_open(index, AccessShareLock);
	}
	return NULL;
}

static void
raise_duplicate(Relation relation, TupleTableSlot *row, const char *message)
{
	Relation	index = violated_index(relation, message);
	char	   *text = part_of_message(message, "Duplicate entry '", "' for key '");
	char	   *detail = NULL;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS] = {false};

	if (index == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("duplicate key value violates a unique constraint of table \"%s\"",
						RelationGetRelationName(relation)),
				 errdetail("%s", message), errtable(relation)));
	if (row != NULL)
		values_of_row(index, row, values, nulls);
	if (row != NULL || (text != NULL && values_of_entry(relation, index, text, values)))
		detail = BuildIndexValueDescription(index, values, nulls);
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("duplicate key value violates unique constraint \"%s\"", RelationGetRelationName(index)),
			 detail == NULL ? 0 : errdetail("Key %s already exists.", detail),
			 errtableconstraint(relation, RelationGetRelationName(index))));
}

/* The column that MySQL names. 0: none of ours. */
static AttrNumber
named_column(Relation relation, const char *message)
{
	char	   *name = part_of_message(message, "olumn '", "'");

	for (int i = 0; name != NULL && i < RelationGetDescr(relation)->natts; i++)
		if (!TupleDescAttr(RelationGetDescr(relation), i)->attisdropped &&
			strcmp(kluster_column_name(RelationGetRelid(relation), (AttrNumber) (i + 1)), name) == 0)
			return (AttrNumber) (i + 1);
	return 0;
}

static const char *
overflow_of(const KlusterType *type)
{
	switch (type->type)
	{
		case INT2OID:
			return "smallint out of range";
		case INT4OID:
			return "integer out of range";
		case INT8OID:
			return "bigint out of range";
		case OIDOID:
			return "OID out of range";
		case NUMERICOID:
			return "numeric field overflow";
		default:
			return "value out of range: overflow";
	}
}

static void
raise_overflow(Relation relation, AttrNumber attribute)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
	KlusterType type;
	int			precision;
	int			scale;

	kluster_require_type(column->atttypid, column->atttypmod, NameStr(column->attname), &type);
	precision = ((type.typmod - VARHDRSZ) >> 16) & 0xffff;
	scale = (type.typmod - VARHDRSZ) & 0x7ff;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("%s", overflow_of(&type)),
			 type.type != NUMERICOID ? 0 :
			 errdetail("A field with precision %d, scale %d must round to an absolute value less than %s%d.",
					   precision, scale, precision > scale ? "10^" : "", precision > scale ? precision - scale : 1)));
}

static void
raise_about_column(Relation relation, AttrNumber attribute, unsigned int code)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attribute - 1);

	if (code == ER_WARN_DATA_OUT_OF_RANGE)
		raise_overflow(relation, attribute);
	if (code == ER_BAD_NULL_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of relation \"%s\" violates not-null constraint",
						NameStr(column->attname), RelationGetRelationName(relation)),
				 errtablecol(relation, attribute)));
	/* As for a row that is too large for an index: lengths that the definition of the column names are checked before. */
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("value too long for column \"%s\" of relation \"%s\"", NameStr(column->attname),
					RelationGetRelationName(relation)),
			 errhint("A text column of a primary key or index can hold 768 characters at most, and fewer when there are several."),
			 errtablecol(relation, attribute)));
}

static void
raise_failed_check(Relation relation, const char *message)
{
	char	   *name = part_of_message(message, "heck constraint '", "'");

	if (name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("new row for relation \"%s\" violates check constraint \"%s\"",
						RelationGetRelationName(relation), name),
				 errtableconstraint(relation, name)));
}

void
kluster_raise_violation(Oid relid, TupleTableSlot *row, unsigned int code, const char *message)
{
	Relation	relation;
	AttrNumber	column;

	if (code == ER_NO_REFERENCED_ROW_2 || code == ER_ROW_IS_REFERENCED_2)
		kluster_raise_foreign_key_violation(relid, row, message);
	if (code == ER_DATA_OUT_OF_RANGE && strncmp(message, "BIGINT ", 7) == 0)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("bigint out of range")));
	if (code != ER_DUP_ENTRY && code != ER_BAD_NULL_ERROR && code != ER_DATA_TOO_LONG &&
		code != ER_WARN_DATA_OUT_OF_RANGE && code != CHECK_IS_VIOLATED)
		return;
	relation = table_open(relid, AccessShareLock);
	if (code == ER_DUP_ENTRY)
		raise_duplicate(relation, row, message);
	if (code == CHECK_IS_VIOLATED)
		raise_failed_check(relation, message);
	column = named_column(relation, message);
	if (column != 0)
		raise_about_column(relation, column, code);
	table_close(relation, AccessShareLock);
}
