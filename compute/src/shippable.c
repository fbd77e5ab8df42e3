/*
 * shippable.c: which expressions give PostgreSQL's answer on a shard.
 *
 * A list of what is known to be the same, nothing else. Left out on purpose:
 * - arithmetic of smallint and int: PostgreSQL reports what does not fit into
 *   the type, MySQL computes everything in 64 bits;
 * - division and modulo by what is not a constant: by zero MySQL says NULL;
 * - arithmetic of numeric, real and double: other scales, other rounding;
 * - functions that depend on a locale (lower, upper, ILIKE, regular
 *   expressions), on the time zone, or on settings of the session;
 * - casts between families of types;
 * - comparisons between families: MySQL would convert one side its own way.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/syscache.h"

#include "shippable.h"
#include "value.h"

/* Longer lists of constants stay here. */
#define MAX_LIST_ITEMS 10000

typedef enum Need
{
	NEED_EQUALITY,				/* both sides of one family that has equality */
	NEED_ORDER,					/* and order, in the collation of the operator */
	NEED_BIGINT,				/* at least one side is bigint, so that overflow is an error in both */
	NEED_DIVISOR,				/* integers; the right side is a constant other than 0 and -1 */
	NEED_PATTERN				/* text and a constant pattern that does not end in an escape */
} Need;

typedef struct Operator
{
	const char *name;
	const char *remote;
	Need		need;
} Operator;

static const Operator operators[] = {
	/* MySQL compares stored values as PostgreSQL does: text byte by byte, decimals exactly, times in UTC. */
	{"=", "=", NEED_EQUALITY},
	{"<>", "<>", NEED_EQUALITY},
	{"<", "<", NEED_ORDER},
	{"<=", "<=", NEED_ORDER},
	{">", ">", NEED_ORDER},
	{">=", ">=", NEED_ORDER},
	/* Out of range is an error in both. */
	{"+", "+", NEED_BIGINT},
	{"-", "-", NEED_BIGINT},
	{"*", "*", NEED_BIGINT},
	/* DIV truncates towards zero, and % has the sign of the dividend, in both. -1 could overflow. */
	{"/", "DIV", NEED_DIVISOR},
	{"%", "%", NEED_DIVISOR},
	/* Case-sensitive in the binary collation, by characters, the backslash escapes. */
	{"~~", "LIKE", NEED_PATTERN},
	{"!~~", "NOT LIKE", NEED_PATTERN},
};

typedef struct Function
{
	Oid			function;
	KlusterSpelling spelling;
	KlusterForm argument;
	KlusterForm result;
} Function;

static const Function functions[] = {
	/* Wider integers: MySQL compares integers of all sizes exactly. */
	{F_INT4_INT2, {"", true}, KLUSTER_INTEGER, KLUSTER_INTEGER},
	{F_INT8_INT2, {"", true}, KLUSTER_INTEGER, KLUSTER_INTEGER},
	{F_INT8_INT4, {"", true}, KLUSTER_INTEGER, KLUSTER_INTEGER},
	/* Integers and decimals are compared exactly. */
	{F_NUMERIC_INT2, {"", true}, KLUSTER_INTEGER, KLUSTER_DECIMAL},
	{F_NUMERIC_INT4, {"", true}, KLUSTER_INTEGER, KLUSTER_DECIMAL},
	{F_NUMERIC_INT8, {"", true}, KLUSTER_INTEGER, KLUSTER_DECIMAL},
	/* Every real is a double. */
	{F_FLOAT8_FLOAT4, {"", true}, KLUSTER_FLOAT, KLUSTER_FLOAT},
	/* Characters, and bytes of UTF-8. */
	{F_LENGTH_TEXT, {"CHAR_LENGTH", true}, KLUSTER_TEXT, KLUSTER_INTEGER},
	{F_CHAR_LENGTH_TEXT, {"CHAR_LENGTH", true}, KLUSTER_TEXT, KLUSTER_INTEGER},
	{F_OCTET_LENGTH_TEXT, {"OCTET_LENGTH", true}, KLUSTER_TEXT, KLUSTER_INTEGER},
	{F_OCTET_LENGTH_BYTEA, {"OCTET_LENGTH", true}, KLUSTER_BYTES, KLUSTER_INTEGER},
};

static const Operator *
find_operator(Oid operator)
{
	HeapTuple	tuple;
	const char *name;
	const Operator *found = NULL;

	if (operator >= FirstGenbkiObjectId)
		return NULL;
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	name = NameStr(((Form_pg_operator) GETSTRUCT(tuple))->oprname);
	for (size_t i = 0; found == NULL && i < lengthof(operators); i++)
		if (strcmp(operators[i].name, name) == 0)
			found = &operators[i];
	ReleaseSysCache(tuple);
	return found;
}

static const Function *
find_function(Oid function)
{
	for (size_t i = 0; i < lengthof(functions); i++)
		if (functions[i].function == function)
			return &functions[i];
	return NULL;
}

KlusterSpelling
kluster_operator_spelling(Oid operator)
{
	const Operator *found = find_operator(operator);

	Assert(found != NULL);
	return (KlusterSpelling) {found->remote, false};
}

KlusterSpelling
kluster_function_spelling(Oid function)
{
	const Function *found = find_function(function);

	Assert(found != NULL);
	return found->spelling;
}

static bool
is_number(KlusterForm form)
{
	return form == KLUSTER_INTEGER || form == KLUSTER_DECIMAL;
}

static bool
same_family(KlusterForm left, KlusterForm right)
{
	return left == right || (is_number(left) && is_number(right));
}

static bool
is_deterministic(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

static bool
has_equality(KlusterForm form, Oid collation)
{
	KlusterType type = {.form = form};

	return kluster_has_equality(&type) && is_deterministic(collation);
}

static bool
has_order(KlusterForm form, Oid collation)
{
	KlusterType type = {.form = form};

	return kluster_has_order(&type, collation);
}

/* The form of a value that is only compared with stored ones. */
static bool
comparand_form(Oid type, int32 typmod, KlusterForm *form)
{
	KlusterType mapped;

	if (!kluster_type_of(type, typmod, &mapped))
		return false;
	*form = mapped.type == NUMERICOID ? KLUSTER_DECIMAL : mapped.type == BPCHAROID ? KLUSTER_PADDED : mapped.form;
	return *form != KLUSTER_ARRAY && *form != KLUSTER_OPAQUE;
}

static bool
ships_constant(Const *constant, KlusterForm *form)
{
	if (!comparand_form(constant->consttype, constant->consttypmod, form))
		return false;
	return constant->constisnull ||
		kluster_is_comparand(kluster_comparand_codec(constant->consttype, constant->consttypmod), constant->constvalue);
}

static bool
ships_column(Relids own, Var *column, KlusterForm *form)
{
	KlusterType mapped;

	if (column->varlevelsup > 0 || column->varattno <= 0 || !bms_is_member(column->varno, own))
		return false;
	if (!kluster_type_of(column->vartype, column->vartypmod, &mapped))
		return false;
	*form = mapped.form;
	return true;
}

bool
kluster_is_parameter(Relids own, Expr *expression)
{
	KlusterForm form;
	Oid			element;

	if (IsA(expression, Const) || bms_overlap(pull_varnos(NULL, (Node *) expression), own))
		return false;
	if (contain_volatile_functions((Node *) expression) || contain_subplans((Node *) expression) ||
		contain_agg_clause((Node *) expression) || contain_window_function((Node *) expression))
		return false;
	element = get_element_type(getBaseType(exprType((Node *) expression)));
	/* A float without end has no literal, which is only known when it is too late. */
	return comparand_form(OidIsValid(element) ? element : exprType((Node *) expression),
						  OidIsValid(element) ? -1 : exprTypmod((Node *) expression), &form) && form != KLUSTER_FLOAT;
}

static bool
is_constant_pattern(Expr *expression)
{
	Const	   *pattern = (Const *) expression;
	int			escapes = 0;
	char	   *like;

	if (!IsA(expression, Const) || pattern->consttype != TEXTOID || pattern->constisnull)
		return false;
	like = TextDatumGetCString(pattern->constvalue);
	for (size_t length = strlen(like); length > 0 && like[length - 1] == '\\'; length--)
		escapes++;
	return escapes % 2 == 0;
}

static bool
is_safe_divisor(Expr *expression)
{
	Const	   *divisor = (Const *) expression;
	int64		value;

	if (!IsA(expression, Const) || divisor->constisnull)
		return false;
	value = divisor->consttype == INT2OID ? DatumGetInt16(divisor->constvalue) :
		divisor->consttype == INT4OID ? DatumGetInt32(divisor->constvalue) : DatumGetInt64(divisor->constvalue);
	return value != 0 && value != -1;
}

static bool
operands_match(const Operator *found, OpExpr *operation, KlusterForm left, KlusterForm right)
{
	Oid			collation = operation->inputcollid;
	Expr	   *second = lsecond(operation->args);

	switch (found->need)
	{
		case NEED_EQUALITY:
			return same_family(left, right) && has_equality(left, collation);
		case NEED_ORDER:
			return same_family(left, right) && has_order(left, collation);
		case NEED_BIGINT:
			return left == KLUSTER_INTEGER && right == KLUSTER_INTEGER && operation->opresulttype == INT8OID;
		case NEED_DIVISOR:
			return left == KLUSTER_INTEGER && right == KLUSTER_INTEGER && is_safe_divisor(second);
		case NEED_PATTERN:
			return left == KLUSTER_TEXT && is_deterministic(collation) && is_constant_pattern(second);
	}
	return false;
}

static bool
ships_operation(Relids own, OpExpr *operation, KlusterForm *form)
{
	const Operator *found = find_operator(operation->opno);
	KlusterForm left;
	KlusterForm right;

	if (found == NULL || list_length(operation->args) != 2 ||
		!kluster_ships(own, linitial(operation->args), &left) ||
		!kluster_ships(own, lsecond(operation->args), &right))
		return false;
	*form = operation->opresulttype == BOOLOID ? KLUSTER_BOOLEAN : KLUSTER_INTEGER;
	return operands_match(found, operation, left, right);
}

static bool
ships_distinct(Relids own, OpExpr *operation, KlusterForm *form)
{
	return ships_operation(own, operation, form) && find_operator(operation->opno)->need == NEED_EQUALITY;
}

static bool
ships_constant_list(Const *list, KlusterForm *form)
{
	ArrayType  *array;
	Oid			element = get_element_type(list->consttype);
	ArrayIterator items;
	Datum		value;
	bool		is_null;
	KlusterCodec *codec;

	if (!OidIsValid(element) || list->constisnull || !comparand_form(element, -1, form))
		return false;
	array = DatumGetArrayTypeP(list->constvalue);
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_LIST_ITEMS)
		return false;
	codec = kluster_comparand_codec(element, -1);
	items = array_create_iterator(array, 0, NULL);
	while (array_iterate(items, &value, &is_null))
		if (!is_null && !kluster_is_comparand(codec, value))
			return false;
	return true;
}

/* = ANY becomes IN, <> ALL becomes NOT IN; NULLs mean the same in both. */
static bool
ships_list(Relids own, ScalarArrayOpExpr *operation)
{
	const Operator *found = find_operator(operation->opno);
	Expr	   *list = lsecond(operation->args);
	KlusterForm left;
	KlusterForm right;

	if (found == NULL || strcmp(found->remote, operation->useOr ? "=" : "<>") != 0 ||
		!kluster_ships(own, linitial(operation->args), &left))
		return false;
	if (IsA(list, Const))
	{
		if (!ships_constant_list((Const *) list, &right))
			return false;
	}
	else if (!kluster_is_parameter(own, list) ||
			 !comparand_form(get_element_type(getBaseType(exprType((Node *) list))), -1, &right))
		return false;
	return same_family(left, right) && has_equality(left, operation->inputcollid);
}

static bool
ships_function(Relids own, FuncExpr *call, KlusterForm *form)
{
	const Function *found = find_function(call->funcid);
	KlusterForm argument;

	if (found == NULL || !kluster_ships(own, linitial(call->args), &argument))
		return false;
	*form = found->result;
	return argument == found->argument;
}

static bool
ships_all(Relids own, List *conditions)
{
	ListCell   *cell;

	foreach(cell, conditions)
		if (!kluster_ships_condition(own, lfirst(cell)))
			return false;
	return true;
}

/* Alternatives of one form. Not of decimals: their scales may differ, and MySQL prints all with the largest. */
static bool
ships_alternative(Relids own, Expr *alternative, KlusterForm *form, bool *first)
{
	KlusterForm found;

	if (!kluster_ships(own, alternative, &found) || (!*first && found != *form))
		return false;
	*form = found;
	*first = false;
	return found != KLUSTER_DECIMAL && found != KLUSTER_ARRAY && found != KLUSTER_OPAQUE && found != KLUSTER_PADDED;
}

static bool
ships_case(Relids own, CaseExpr *choice, KlusterForm *form)
{
	bool		first = true;
	ListCell   *cell;

	if (choice->arg != NULL || choice->defresult == NULL)
		return false;
	foreach(cell, choice->args)
	{
		CaseWhen   *when = lfirst_node(CaseWhen, cell);

		if (!kluster_ships_condition(own, when->expr) || !ships_alternative(own, when->result, form, &first))
			return false;
	}
	return ships_alternative(own, choice->defresult, form, &first);
}

static bool
ships_coalesce(Relids own, CoalesceExpr *choice, KlusterForm *form)
{
	bool		first = true;
	ListCell   *cell;

	foreach(cell, choice->args)
		if (!ships_alternative(own, lfirst(cell), form, &first))
			return false;
	return true;
}

static bool
ships_relabel(Relids own, RelabelType *relabel, KlusterForm *form)
{
	KlusterForm inner;

	/* varchar as text, or a domain as its base type. */
	return kluster_ships(own, relabel->arg, &inner) &&
		comparand_form(relabel->resulttype, relabel->resulttypmod, form) && *form == inner;
}

bool
kluster_ships(Relids own, Expr *expression, KlusterForm *form)
{
	KlusterForm inner;

	check_stack_depth();
	if (kluster_is_parameter(own, expression))
		return comparand_form(exprType((Node *) expression), exprTypmod((Node *) expression), form);
	switch (nodeTag(expression))
	{
		case T_Var:
			return ships_column(own, (Var *) expression, form);
		case T_Const:
			return ships_constant((Const *) expression, form);
		case T_RelabelType:
			return ships_relabel(own, (RelabelType *) expression, form);
		case T_OpExpr:
			return ships_operation(own, (OpExpr *) expression, form);
		case T_DistinctExpr:
			return ships_distinct(own, (OpExpr *) expression, form);
		case T_FuncExpr:
			return ships_function(own, (FuncExpr *) expression, form);
		case T_CaseExpr:
			return ships_case(own, (CaseExpr *) expression, form);
		case T_CoalesceExpr:
			return ships_coalesce(own, (CoalesceExpr *) expression, form);
		case T_ScalarArrayOpExpr:
			*form = KLUSTER_BOOLEAN;
			return ships_list(own, (ScalarArrayOpExpr *) expression);
		case T_BoolExpr:
			*form = KLUSTER_BOOLEAN;
			return ships_all(own, ((BoolExpr *) expression)->args);
		case T_NullTest:
			*form = KLUSTER_BOOLEAN;
			return !((NullTest *) expression)->argisrow && kluster_ships(own, ((NullTest *) expression)->arg, &inner);
		case T_BooleanTest:
			*form = KLUSTER_BOOLEAN;
			return kluster_ships_condition(own, ((BooleanTest *) expression)->arg);
		default:
			return false;
	}
}

bool
kluster_ships_condition(Relids own, Expr *condition)
{
	KlusterForm form;

	return kluster_ships(own, condition, &form) && form == KLUSTER_BOOLEAN;
}

/* Doubles are left out: 0 and -0 are equal, and which of them represents the group is not the same. */
bool
kluster_ships_grouping(Relids own, Expr *expression)
{
	KlusterForm form;

	return !IsA(expression, Const) && kluster_ships(own, expression, &form) && form != KLUSTER_FLOAT &&
		has_equality(form, exprCollation((Node *) expression));
}

bool
kluster_ships_ordering(Relids own, Expr *expression, Oid collation)
{
	KlusterForm form;

	return kluster_ships(own, expression, &form) && has_order(form, collation);
}
