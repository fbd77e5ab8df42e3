/*
 * shippable_aggregate.c: which aggregates give PostgreSQL's answer on a shard.
 *
 * Left out: sums and averages of real and double, whose last digits depend on
 * the order of the rows, and everything statistical.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "shippable.h"

typedef enum Operand
{
	OPERAND_NONE,				/* count(*) */
	OPERAND_ANY,				/* count(x) */
	OPERAND_NUMBER,				/* exact numbers */
	OPERAND_ORDERED,
	OPERAND_BOOLEAN
} Operand;

typedef struct Aggregate
{
	Oid			function;
	const char *remote;
	Operand		operand;
} Aggregate;

static const Aggregate aggregates[] = {
	{F_COUNT_, "COUNT", OPERAND_NONE},
	{F_COUNT_ANY, "COUNT", OPERAND_ANY},
	/* MySQL sums exact numbers as decimals of up to 65 digits. */
	{F_SUM_INT2, "SUM", OPERAND_NUMBER},
	{F_SUM_INT4, "SUM", OPERAND_NUMBER},
	{F_SUM_INT8, "SUM", OPERAND_NUMBER},
	{F_SUM_NUMERIC, "SUM", OPERAND_NUMBER},
	/* Fetched as sum and count, and divided here. */
	{F_AVG_INT2, "AVG", OPERAND_NUMBER},
	{F_AVG_INT4, "AVG", OPERAND_NUMBER},
	{F_AVG_INT8, "AVG", OPERAND_NUMBER},
	{F_AVG_NUMERIC, "AVG", OPERAND_NUMBER},
	{F_MIN_INT2, "MIN", OPERAND_ORDERED},
	{F_MIN_INT4, "MIN", OPERAND_ORDERED},
	{F_MIN_INT8, "MIN", OPERAND_ORDERED},
	{F_MIN_NUMERIC, "MIN", OPERAND_ORDERED},
	{F_MIN_DATE, "MIN", OPERAND_ORDERED},
	{F_MIN_TIME, "MIN", OPERAND_ORDERED},
	{F_MIN_TIMESTAMP, "MIN", OPERAND_ORDERED},
	{F_MIN_TIMESTAMPTZ, "MIN", OPERAND_ORDERED},
	{F_MIN_TEXT, "MIN", OPERAND_ORDERED},
	{F_MAX_INT2, "MAX", OPERAND_ORDERED},
	{F_MAX_INT4, "MAX", OPERAND_ORDERED},
	{F_MAX_INT8, "MAX", OPERAND_ORDERED},
	{F_MAX_NUMERIC, "MAX", OPERAND_ORDERED},
	{F_MAX_DATE, "MAX", OPERAND_ORDERED},
	{F_MAX_TIME, "MAX", OPERAND_ORDERED},
	{F_MAX_TIMESTAMP, "MAX", OPERAND_ORDERED},
	{F_MAX_TIMESTAMPTZ, "MAX", OPERAND_ORDERED},
	{F_MAX_TEXT, "MAX", OPERAND_ORDERED},
	/* true is 1. */
	{F_BOOL_AND, "MIN", OPERAND_BOOLEAN},
	{F_EVERY, "MIN", OPERAND_BOOLEAN},
	{F_BOOL_OR, "MAX", OPERAND_BOOLEAN},
};

/* A sum of 10^20 such numbers still fits into MySQL's decimal. */
#define MAX_SUMMED_PRECISION 40

static const Aggregate *
find_aggregate(Oid function)
{
	for (size_t i = 0; i < lengthof(aggregates); i++)
		if (aggregates[i].function == function)
			return &aggregates[i];
	return NULL;
}

bool
kluster_is_average(const Aggref *aggregate)
{
	const Aggregate *found = find_aggregate(aggregate->aggfnoid);

	return found != NULL && strcmp(found->remote, "AVG") == 0;
}

const char *
kluster_aggregate_name(const Aggref *aggregate)
{
	return find_aggregate(aggregate->aggfnoid)->remote;
}

/* Decimals only as columns: the scale of the sum is the scale of the column, in both. */
static bool
is_summable(Expr *argument, KlusterForm form)
{
	int32		typmod = exprTypmod((Node *) argument);

	if (form == KLUSTER_INTEGER)
		return true;
	return form == KLUSTER_DECIMAL && IsA(argument, Var) && typmod >= VARHDRSZ &&
		((typmod - VARHDRSZ) >> 16) <= MAX_SUMMED_PRECISION;
}

static bool
operand_matches(const Aggregate *found, Relids own, Expr *argument, Aggref *aggregate)
{
	KlusterForm form;

	if (!kluster_ships(own, argument, &form))
		return false;
	if (aggregate->aggdistinct != NIL && !kluster_ships_grouping(own, argument))
		return false;
	switch (found->operand)
	{
		case OPERAND_NONE:
			return false;
		case OPERAND_ANY:
			return true;
		case OPERAND_NUMBER:
			return is_summable(argument, form);
		case OPERAND_ORDERED:
			/* Of an expression of decimals the scale would not be known. */
			return kluster_ships_ordering(own, argument, aggregate->inputcollid) &&
				(form != KLUSTER_DECIMAL || IsA(argument, Var));
		case OPERAND_BOOLEAN:
			return form == KLUSTER_BOOLEAN;
	}
	return false;
}

bool
kluster_ships_aggregate(Relids own, Aggref *aggregate)
{
	const Aggregate *found = find_aggregate(aggregate->aggfnoid);

	if (found == NULL || aggregate->aggsplit != AGGSPLIT_SIMPLE || aggregate->aggfilter != NULL ||
		aggregate->aggorder != NIL || aggregate->agglevelsup > 0)
		return false;
	if (aggregate->args == NIL)
		return found->operand == OPERAND_NONE;
	return list_length(aggregate->args) == 1 &&
		operand_matches(found, own, linitial_node(TargetEntry, aggregate->args)->expr, aggregate);
}
