/*
 * deparse_expression.c: expressions that ship, as MySQL text. Everything that
 * has an operator is put into parentheses.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "deparse.h"
#include "quote.h"
#include "shippable.h"

static StringInfo
sql_of(KlusterDeparse *deparse)
{
	return &deparse->out->sql;
}

void
kluster_deparse_column(KlusterDeparse *deparse, Index table, AttrNumber attribute)
{
	Oid			relation = planner_rt_fetch(table, deparse->root)->relid;

	kluster_append_alias(sql_of(deparse), table);
	appendStringInfoChar(sql_of(deparse), '.');
	if (attribute == SelfItemPointerAttributeNumber)
		kluster_append_identifier(sql_of(deparse), kluster_table(relation)->row_column);
	else
		kluster_append_identifier(sql_of(deparse), kluster_column_name(relation, attribute));
}

static void
deparse_constant(KlusterDeparse *deparse, Const *constant)
{
	if (constant->constisnull)
		appendStringInfoString(sql_of(deparse), "NULL");
	else
		kluster_append_comparand(sql_of(deparse), kluster_comparand_codec(constant->consttype, constant->consttypmod),
								 constant->constvalue);
}

static void
deparse_infix(KlusterDeparse *deparse, Expr *left, const char *operator, Expr *right)
{
	appendStringInfoChar(sql_of(deparse), '(');
	kluster_deparse_expression(deparse, left);
	appendStringInfo(sql_of(deparse), " %s ", operator);
	kluster_deparse_expression(deparse, right);
	/* Without backslash escapes in literals, LIKE has no escape unless it is said. */
	if (strstr(operator, "LIKE") != NULL)
		appendStringInfoString(sql_of(deparse), " ESCAPE '\\'");
	appendStringInfoChar(sql_of(deparse), ')');
}

static void
deparse_distinct(KlusterDeparse *deparse, DistinctExpr *distinct)
{
	appendStringInfoString(sql_of(deparse), "(NOT ");
	deparse_infix(deparse, linitial(distinct->args), "<=>", lsecond(distinct->args));
	appendStringInfoChar(sql_of(deparse), ')');
}

static void
deparse_constant_list(KlusterDeparse *deparse, Const *list)
{
	KlusterCodec *codec = kluster_comparand_codec(get_element_type(list->consttype), -1);
	ArrayIterator items = array_create_iterator(DatumGetArrayTypeP(list->constvalue), 0, NULL);
	StringInfo	sql = sql_of(deparse);
	Datum		item;
	bool		is_null;
	char		separator = '(';

	while (array_iterate(items, &item, &is_null))
	{
		appendStringInfoChar(sql, separator);
		separator = ',';
		if (is_null)
			appendStringInfoString(sql, "NULL");
		else
			kluster_append_comparand(sql, codec, item);
	}
	appendStringInfoString(sql, separator == '(' ? "(SELECT NULL FROM DUAL WHERE FALSE)" : ")");
}

static void
deparse_list(KlusterDeparse *deparse, ScalarArrayOpExpr *operation)
{
	Expr	   *list = lsecond(operation->args);

	appendStringInfoChar(sql_of(deparse), '(');
	kluster_deparse_expression(deparse, linitial(operation->args));
	appendStringInfoString(sql_of(deparse), operation->useOr ? " IN " : " NOT IN ");
	if (IsA(list, Const))
		deparse_constant_list(deparse, (Const *) list);
	else
		kluster_text_hole(deparse->out, KLUSTER_HOLE_LIST, list, exprType((Node *) list), -1);
	appendStringInfoChar(sql_of(deparse), ')');
}

static void
deparse_boolean(KlusterDeparse *deparse, BoolExpr *expression)
{
	const char *separator = expression->boolop == AND_EXPR ? " AND " : " OR ";
	ListCell   *cell;

	appendStringInfoString(sql_of(deparse), expression->boolop == NOT_EXPR ? "(NOT " : "(");
	foreach(cell, expression->args)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(sql_of(deparse), separator);
		kluster_deparse_expression(deparse, lfirst(cell));
	}
	appendStringInfoChar(sql_of(deparse), ')');
}

static void
deparse_test(KlusterDeparse *deparse, Expr *argument, const char *test)
{
	appendStringInfoChar(sql_of(deparse), '(');
	kluster_deparse_expression(deparse, argument);
	appendStringInfo(sql_of(deparse), " IS %s)", test);
}

static const char *
boolean_test(BoolTestType type)
{
	switch (type)
	{
		case IS_TRUE:
			return "TRUE";
		case IS_NOT_TRUE:
			return "NOT TRUE";
		case IS_FALSE:
			return "FALSE";
		case IS_NOT_FALSE:
			return "NOT FALSE";
		case IS_UNKNOWN:
			return "UNKNOWN";
		case IS_NOT_UNKNOWN:
			return "NOT UNKNOWN";
	}
	return NULL;
}

static void
deparse_case(KlusterDeparse *deparse, CaseExpr *choice)
{
	ListCell   *cell;

	appendStringInfoString(sql_of(deparse), "(CASE");
	foreach(cell, choice->args)
	{
		CaseWhen   *when = lfirst_node(CaseWhen, cell);

		appendStringInfoString(sql_of(deparse), " WHEN ");
		kluster_deparse_expression(deparse, when->expr);
		appendStringInfoString(sql_of(deparse), " THEN ");
		kluster_deparse_expression(deparse, when->result);
	}
	appendStringInfoString(sql_of(deparse), " ELSE ");
	kluster_deparse_expression(deparse, choice->defresult);
	appendStringInfoString(sql_of(deparse), " END)");
}

static void
deparse_call(KlusterDeparse *deparse, const char *name, List *arguments)
{
	ListCell   *cell;

	appendStringInfo(sql_of(deparse), "%s(", name);
	foreach(cell, arguments)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoChar(sql_of(deparse), ',');
		kluster_deparse_expression(deparse, lfirst(cell));
	}
	appendStringInfoChar(sql_of(deparse), ')');
}

static void
deparse_aggregate(KlusterDeparse *deparse, Aggref *aggregate)
{
	StringInfo	sql = sql_of(deparse);
	const char *distinct = aggregate->aggdistinct != NIL ? "DISTINCT " : "";

	if (aggregate->aggstar)
	{
		appendStringInfoString(sql, "COUNT(*)");
		return;
	}
	appendStringInfo(sql, "%s(%s", kluster_is_average(aggregate) ? "SUM" : kluster_aggregate_name(aggregate), distinct);
	kluster_deparse_expression(deparse, linitial_node(TargetEntry, aggregate->args)->expr);
	appendStringInfoChar(sql, ')');
	if (!kluster_is_average(aggregate))
		return;
	appendStringInfo(sql, ", COUNT(%s", distinct);
	kluster_deparse_expression(deparse, linitial_node(TargetEntry, aggregate->args)->expr);
	appendStringInfoChar(sql, ')');
}

void
kluster_deparse_expression(KlusterDeparse *deparse, Expr *expression)
{
	Node	   *node = (Node *) expression;

	if (kluster_is_parameter(deparse->own, expression))
	{
		kluster_text_hole(deparse->out, KLUSTER_HOLE_COMPARAND, expression, exprType(node), exprTypmod(node));
		return;
	}
	switch (nodeTag(expression))
	{
		case T_Var:
			kluster_deparse_column(deparse, ((Var *) expression)->varno, ((Var *) expression)->varattno);
			break;
		case T_Const:
			deparse_constant(deparse, (Const *) expression);
			break;
		case T_RelabelType:
			kluster_deparse_expression(deparse, ((RelabelType *) expression)->arg);
			break;
		case T_OpExpr:
			deparse_infix(deparse, linitial(((OpExpr *) expression)->args),
						  kluster_operator_spelling(((OpExpr *) expression)->opno).text,
						  lsecond(((OpExpr *) expression)->args));
			break;
		case T_DistinctExpr:
			deparse_distinct(deparse, (DistinctExpr *) expression);
			break;
		case T_FuncExpr:
			deparse_call(deparse, kluster_function_spelling(((FuncExpr *) expression)->funcid).text,
						 ((FuncExpr *) expression)->args);
			break;
		case T_CaseExpr:
			deparse_case(deparse, (CaseExpr *) expression);
			break;
		case T_CoalesceExpr:
			deparse_call(deparse, "COALESCE", ((CoalesceExpr *) expression)->args);
			break;
		case T_ScalarArrayOpExpr:
			deparse_list(deparse, (ScalarArrayOpExpr *) expression);
			break;
		case T_BoolExpr:
			deparse_boolean(deparse, (BoolExpr *) expression);
			break;
		case T_NullTest:
			deparse_test(deparse, ((NullTest *) expression)->arg,
						 ((NullTest *) expression)->nulltesttype == IS_NULL ? "NULL" : "NOT NULL");
			break;
		case T_BooleanTest:
			deparse_test(deparse, ((BooleanTest *) expression)->arg, boolean_test(((BooleanTest *) expression)->booltesttype));
			break;
		case T_Aggref:
			deparse_aggregate(deparse, (Aggref *) expression);
			break;
		default:
			elog(ERROR, "an expression of type %d is not for a shard", (int) nodeTag(expression));
	}
}

void
kluster_deparse_conditions(KlusterDeparse *deparse, const char *prefix, List *conditions)
{
	ListCell   *cell;

	foreach(cell, conditions)
	{
		Expr	   *condition = lfirst(cell);

		if (IsA(condition, RestrictInfo))
			condition = ((RestrictInfo *) condition)->clause;
		appendStringInfoString(sql_of(deparse), foreach_current_index(cell) == 0 ? prefix : " AND ");
		kluster_deparse_expression(deparse, condition);
	}
}
