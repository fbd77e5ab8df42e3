/*
 * query_text.c: makes SQL with holes, and fills them.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "query_text.h"

void
kluster_text_init(KlusterText *text)
{
	memset(text, 0, sizeof(*text));
	initStringInfo(&text->sql);
}

void
kluster_text_hole(KlusterText *text, KlusterHole hole, Expr *expression, Oid type, int32 typmod)
{
	text->offsets = lappend_int(text->offsets, text->sql.len);
	text->holes = lappend_int(text->holes, hole);
	text->types = lappend_oid(text->types, type);
	text->typmods = lappend_int(text->typmods, typmod);
	text->expressions = lappend(text->expressions, expression);
}

List *
kluster_text_node(const KlusterText *text)
{
	return list_make5(makeString(pstrdup(text->sql.data)), text->offsets, text->holes, text->types, text->typmods);
}

static KlusterCodec *
codec_of_hole(KlusterHole hole, Oid type, int32 typmod)
{
	switch (hole)
	{
		case KLUSTER_HOLE_STORED:
			return kluster_codec(type, typmod);
		case KLUSTER_HOLE_LIST:
			return kluster_comparand_codec(get_element_type(getBaseType(type)), -1);
		case KLUSTER_HOLE_COMPARAND:
			break;
	}
	return kluster_comparand_codec(type, typmod);
}

KlusterQuery *
kluster_query_begin(List *node, List *expressions, PlanState *parent)
{
	KlusterQuery *query = palloc0(sizeof(KlusterQuery));

	query->sql = strVal(linitial(node));
	query->count = list_length(lsecond(node));
	query->offsets = palloc(sizeof(int) * (query->count + 1));
	query->holes = palloc(sizeof(KlusterHole) * (query->count + 1));
	query->codecs = palloc(sizeof(KlusterCodec *) * (query->count + 1));
	for (int i = 0; i < query->count; i++)
	{
		query->offsets[i] = list_nth_int(lsecond(node), i);
		query->holes[i] = (KlusterHole) list_nth_int(lthird(node), i);
		query->codecs[i] = codec_of_hole(query->holes[i], list_nth_oid(lfourth(node), i), list_nth_int(list_nth(node, 4), i));
	}
	query->states = ExecInitExprList(expressions, parent);
	initStringInfo(&query->filled);
	return query;
}

static void
append_list(StringInfo out, KlusterCodec *codec, Datum value)
{
	ArrayIterator items = array_create_iterator(DatumGetArrayTypeP(value), 0, NULL);
	Datum		item;
	bool		is_null;
	char		separator = '(';

	while (array_iterate(items, &item, &is_null))
	{
		appendStringInfoChar(out, separator);
		separator = ',';
		if (is_null)
			appendStringInfoString(out, "NULL");
		else
			kluster_append_comparand(out, codec, item);
	}
	/* MySQL has no empty list, but an empty subquery. */
	appendStringInfoString(out, separator == '(' ? "(SELECT NULL FROM DUAL WHERE FALSE)" : ")");
	array_free_iterator(items);
}

static void
fill_hole(KlusterQuery *query, int hole, ExprState *state, ExprContext *context)
{
	bool		is_null;
	Datum		value = ExecEvalExpr(state, context, &is_null);

	if (is_null)
		appendStringInfoString(&query->filled, query->holes[hole] == KLUSTER_HOLE_LIST ? "(NULL)" : "NULL");
	else if (query->holes[hole] == KLUSTER_HOLE_LIST)
		append_list(&query->filled, query->codecs[hole], value);
	else if (query->holes[hole] == KLUSTER_HOLE_COMPARAND)
		kluster_append_comparand(&query->filled, query->codecs[hole], value);
	else
		kluster_append_value(&query->filled, query->codecs[hole], value);
}

const char *
kluster_query_fill(KlusterQuery *query, ExprContext *context)
{
	MemoryContext caller;
	int			done = 0;

	if (query->count == 0)
		return query->sql;
	caller = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	resetStringInfo(&query->filled);
	for (int i = 0; i < query->count; i++)
	{
		appendBinaryStringInfo(&query->filled, query->sql + done, query->offsets[i] - done);
		done = query->offsets[i];
		fill_hole(query, i, list_nth(query->states, i), context);
	}
	appendStringInfoString(&query->filled, query->sql + done);
	MemoryContextSwitchTo(caller);
	return query->filled.data;
}

char *
kluster_query_show(List *node)
{
	StringInfoData shown;
	const char *sql = strVal(linitial(node));
	int			done = 0;
	ListCell   *cell;

	initStringInfo(&shown);
	foreach(cell, lsecond(node))
	{
		appendBinaryStringInfo(&shown, sql + done, lfirst_int(cell) - done);
		appendStringInfo(&shown, "$%d", foreach_current_index(cell) + 1);
		done = lfirst_int(cell);
	}
	appendStringInfoString(&shown, sql + done);
	return shown.data;
}
