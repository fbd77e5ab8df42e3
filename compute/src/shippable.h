/*
 * shippable.h: what a shard may compute, because it gives PostgreSQL's answer.
 */
#ifndef KLUSTER_SHIPPABLE_H
#define KLUSTER_SHIPPABLE_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "nodes/primnodes.h"

#include "type_map.h"

/* How an operator or function is written for MySQL. */
typedef struct KlusterSpelling
{
	const char *text;			/* the operator, or the function's name; "" for a cast that changes nothing */
	bool		is_function;
} KlusterSpelling;

/*
 * Can the expression be computed on the shard, over columns of the relations
 * `own`? Gives the form of its value.
 */
extern bool kluster_ships(Relids own, Expr *expression, KlusterForm *form);

/* Can the condition? */
extern bool kluster_ships_condition(Relids own, Expr *condition);

/*
 * Is it a value that this backend computes before the statement is sent, and
 * that then appears in it as a literal?
 */
extern bool kluster_is_parameter(Relids own, Expr *expression);

/* Can the shard group by it, or count what is distinct? */
extern bool kluster_ships_grouping(Relids own, Expr *expression);

/* Can the shard sort by it, with that operator? */
extern bool kluster_ships_ordering(Relids own, Expr *expression, Oid collation);

/* Can the shard compute the aggregate? */
extern bool kluster_ships_aggregate(Relids own, Aggref *aggregate);

/* Is it avg(), which is fetched as sum and count and divided here? */
extern bool kluster_is_average(const Aggref *aggregate);

/* The name of an aggregate in MySQL. */
extern const char *kluster_aggregate_name(const Aggref *aggregate);

/* For expressions that ship. */
extern KlusterSpelling kluster_operator_spelling(Oid operator);
extern KlusterSpelling kluster_function_spelling(Oid function);

#endif
