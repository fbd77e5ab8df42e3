/*
 * deparse.c: SELECT statements.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "deparse.h"
#include "quote.h"

void
kluster_append_table(StringInfo out, const KlusterTable *table)
{
	kluster_append_identifier(out, table->database);
	appendStringInfoChar(out, '.');
	kluster_append_identifier(out, table->table);
}

void
kluster_append_alias(StringInfo out, Index table)
{
	appendStringInfo(out, "r%u", table);
}

static void
deparse_from(KlusterDeparse *deparse, RelOptInfo *from)
{
	KlusterRel *rel = kluster_rel(from);
	StringInfo	sql = &deparse->out->sql;

	if (rel->table != NULL)
	{
		kluster_append_table(sql, rel->table);
		appendStringInfoString(sql, " AS ");
		kluster_append_alias(sql, from->relid);
		return;
	}
	appendStringInfoChar(sql, '(');
	deparse_from(deparse, rel->outer);
	appendStringInfoString(sql, rel->is_left ? " LEFT JOIN " : " INNER JOIN ");
	deparse_from(deparse, rel->inner);
	if (rel->is_left)
	{
		kluster_deparse_conditions(deparse, " ON ", rel->on);
		if (rel->on == NIL)
			appendStringInfoString(sql, " ON TRUE");
	}
	appendStringInfoChar(sql, ')');
}

static bool
is_never_null(PlannerInfo *root, RelOptInfo *rel, Expr *expression)
{
	Var		   *column = (Var *) expression;
	HeapTuple	tuple;
	bool		not_null;

	/* In a join the column of the inner side may be missing. */
	if (kluster_rel(rel)->table == NULL || !IsA(expression, Var) || column->varattno <= 0)
		return false;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(planner_rt_fetch(column->varno, root)->relid),
							Int16GetDatum(column->varattno));
	if (!HeapTupleIsValid(tuple))
		return false;
	not_null = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return not_null;
}

/* MySQL's NULLs are the smallest; PostgreSQL's are where the pathkey says. */
static void
deparse_sort_key(KlusterDeparse *deparse, RelOptInfo *rel, PathKey *pathkey)
{
	Expr	   *expression = kluster_sort_expression(rel, pathkey);
	bool		descending = pathkey->pk_strategy == BTGreaterStrategyNumber;
	StringInfo	sql = &deparse->out->sql;

	if (pathkey->pk_nulls_first == descending && !is_never_null(deparse->root, rel, expression))
	{
		kluster_deparse_expression(deparse, expression);
		appendStringInfoString(sql, descending ? " IS NULL DESC, " : " IS NULL, ");
	}
	kluster_deparse_expression(deparse, expression);
	if (descending)
		appendStringInfoString(sql, " DESC");
}

static void
deparse_order(KlusterDeparse *deparse, const KlusterSelect *select)
{
	ListCell   *cell;

	foreach(cell, select->pathkeys)
	{
		appendStringInfoString(&deparse->out->sql, foreach_current_index(cell) == 0 ? " ORDER BY " : ", ");
		deparse_sort_key(deparse, select->ordered, lfirst(cell));
	}
}

static void
deparse_limit(KlusterDeparse *deparse, const KlusterLimit *limit)
{
	StringInfo	sql = &deparse->out->sql;
	Const	   *count = (Const *) limit->count;
	Const	   *offset = (Const *) limit->offset;

	/* The largest number stands for no limit: MySQL has no OFFSET alone. */
	if (count == NULL || count->constisnull)
		appendStringInfoString(sql, " LIMIT 18446744073709551615");
	else
		appendStringInfo(sql, " LIMIT " INT64_FORMAT, DatumGetInt64(count->constvalue));
	if (offset != NULL && !offset->constisnull)
		appendStringInfo(sql, " OFFSET " INT64_FORMAT, DatumGetInt64(offset->constvalue));
}

static void
deparse_list(KlusterDeparse *deparse, const char *prefix, List *expressions)
{
	ListCell   *cell;

	foreach(cell, expressions)
	{
		appendStringInfoString(&deparse->out->sql, foreach_current_index(cell) == 0 ? prefix : ", ");
		kluster_deparse_expression(deparse, lfirst(cell));
	}
}

void
kluster_deparse_select(KlusterDeparse *deparse, const KlusterSelect *select)
{
	StringInfo	sql = &deparse->out->sql;

	deparse_list(deparse, "SELECT ", select->targets);
	appendStringInfoString(sql, select->targets == NIL ? "SELECT 1 FROM " : " FROM ");
	deparse_from(deparse, select->from);
	kluster_deparse_conditions(deparse, " WHERE ", select->where);
	deparse_list(deparse, " GROUP BY ", select->groups);
	deparse_order(deparse, select);
	if (select->limit != NULL)
		deparse_limit(deparse, select->limit);
	if (select->locking != NULL)
		appendStringInfoString(sql, select->locking);
}
