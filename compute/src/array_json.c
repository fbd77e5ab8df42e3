/*
 * array_json.c: arrays as JSON.
 *
 * Integers are JSON numbers, other elements are strings of PostgreSQL's text
 * form, dimensions are nested arrays. An array whose subscripts do not start at
 * 1 is an object: {"from": [<first subscripts>], "items": <nested arrays>}.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonfuncs.h"

#include "quote.h"
#include "value.h"

typedef struct Writer
{
	KlusterCodec *element;
	StringInfo	out;
	int			dimensions;
	int		   *sizes;
	Datum	   *values;
	bool	   *nulls;
	int			next;			/* index of the element to write */
} Writer;

static void
append_element(Writer *writer)
{
	int			index = writer->next++;
	char	   *text;

	if (writer->nulls[index])
	{
		appendStringInfoString(writer->out, "null");
		return;
	}
	text = kluster_stable_output(&writer->element->output, writer->values[index]);
	if (writer->element->mapped.form == KLUSTER_INTEGER)
		appendStringInfoString(writer->out, text);
	else
		escape_json(writer->out, text);
	pfree(text);
}

static void
append_dimension(Writer *writer, int dimension)
{
	appendStringInfoChar(writer->out, '[');
	for (int i = 0; i < writer->sizes[dimension]; i++)
	{
		if (i > 0)
			appendStringInfoChar(writer->out, ',');
		if (dimension + 1 < writer->dimensions)
			append_dimension(writer, dimension + 1);
		else
			append_element(writer);
	}
	appendStringInfoChar(writer->out, ']');
}

static bool
starts_at_one(ArrayType *array)
{
	for (int i = 0; i < ARR_NDIM(array); i++)
		if (ARR_LBOUND(array)[i] != 1)
			return false;
	return true;
}

static void
append_first_subscripts(StringInfo out, ArrayType *array)
{
	for (int i = 0; i < ARR_NDIM(array); i++)
		appendStringInfo(out, "%s%d", i > 0 ? "," : "", ARR_LBOUND(array)[i]);
}

void
kluster_append_array(StringInfo out, KlusterCodec *codec, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	StringInfoData json;
	Writer		writer = {.element = codec->element, .out = &json, .dimensions = ARR_NDIM(array), .sizes = ARR_DIMS(array)};
	int			count;

	initStringInfo(&json);
	deconstruct_array(array, ARR_ELEMTYPE(array), codec->element_length, codec->element_by_value,
					  codec->element_align, &writer.values, &writer.nulls, &count);
	if (!starts_at_one(array))
	{
		appendStringInfoString(&json, "{\"from\":[");
		append_first_subscripts(&json, array);
		appendStringInfoString(&json, "],\"items\":");
	}
	if (ARR_NDIM(array) == 0)
		appendStringInfoString(&json, "[]");
	else
		append_dimension(&writer, 0);
	if (!starts_at_one(array))
		appendStringInfoChar(&json, '}');
	kluster_append_literal(out, json.data, json.len);
	pfree(json.data);
}

/* Reading makes PostgreSQL's text form, such as [2:3]={"a",NULL}, and lets array_in read that. */
typedef struct Reader
{
	StringInfoData items;
	int			depth;
	bool		in_from;		/* inside of "from" */
	int			from[MAXDIM];
	int			from_count;
	int			sizes[MAXDIM];	/* counted in the first sub-array of each dimension */
	bool		counted[MAXDIM];
	bool		first;			/* no comma before the next element */
} Reader;

static void
begin_item(Reader *reader)
{
	if (!reader->first)
		appendStringInfoChar(&reader->items, ',');
	reader->first = false;
	if (reader->depth > 0 && reader->depth <= MAXDIM && !reader->counted[reader->depth - 1])
		reader->sizes[reader->depth - 1]++;
}

static void
on_array_start(void *state)
{
	Reader	   *reader = state;

	if (reader->in_from)
		return;
	if (reader->depth > 0)
		begin_item(reader);
	reader->depth++;
	reader->first = true;
	appendStringInfoChar(&reader->items, '{');
}

static void
on_array_end(void *state)
{
	Reader	   *reader = state;

	if (reader->in_from)
		return;
	if (reader->depth <= MAXDIM)
		reader->counted[reader->depth - 1] = true;
	reader->depth--;
	reader->first = false;
	appendStringInfoChar(&reader->items, '}');
}

static void
on_field_start(void *state, char *name, bool is_null)
{
	((Reader *) state)->in_from = strcmp(name, "from") == 0;
}

static void
append_quoted(StringInfo out, const char *text)
{
	appendStringInfoChar(out, '"');
	for (; *text != '\0'; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '"');
}

static void
on_scalar(void *state, char *token, JsonTokenType type)
{
	Reader	   *reader = state;

	if (reader->in_from)
	{
		if (reader->from_count < MAXDIM)
			reader->from[reader->from_count++] = atoi(token);
		return;
	}
	begin_item(reader);
	if (type == JSON_TOKEN_NULL)
		appendStringInfoString(&reader->items, "NULL");
	else
		append_quoted(&reader->items, token);
}

Datum
kluster_read_array(KlusterCodec *codec, char *text, unsigned long length)
{
	JsonLexContext *lex = makeJsonLexContextCstringLen(text, (int) length, PG_UTF8, true);
	Reader		reader = {.first = true};
	JsonSemAction actions = {
		.semstate = &reader,
		.array_start = on_array_start,
		.array_end = on_array_end,
		.object_field_start = on_field_start,
		.scalar = on_scalar,
	};
	StringInfoData bounds;

	initStringInfo(&reader.items);
	pg_parse_json_or_ereport(lex, &actions);
	if (reader.from_count == 0)
		return kluster_stable_input(codec, reader.items.data);
	initStringInfo(&bounds);
	for (int i = 0; i < reader.from_count; i++)
		appendStringInfo(&bounds, "[%d:%d]", reader.from[i], reader.from[i] + reader.sizes[i] - 1);
	appendStringInfo(&bounds, "=%s", reader.items.data);
	return kluster_stable_input(codec, bounds.data);
}
