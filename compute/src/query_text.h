/*
 * query_text.h: SQL with holes for values that are known when it is executed.
 *
 * The planner makes it (deparse.c); it travels in the plan; the executor fills
 * the holes with literals.
 */
#ifndef KLUSTER_QUERY_TEXT_H
#define KLUSTER_QUERY_TEXT_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"

#include "value.h"

/* What stands in a hole. */
typedef enum KlusterHole
{
	KLUSTER_HOLE_COMPARAND,		/* a value that is compared with stored ones */
	KLUSTER_HOLE_LIST,			/* the items of an array, in parentheses */
	KLUSTER_HOLE_STORED			/* a value to store */
} KlusterHole;

/* While planning. */
typedef struct KlusterText
{
	StringInfoData sql;
	List	   *offsets;		/* integers: where the holes are */
	List	   *holes;			/* integers: KlusterHole */
	List	   *types;			/* OIDs of types and ... */
	List	   *typmods;		/* ... integers, to write the values as */
	List	   *expressions;	/* the values */
} KlusterText;

extern void kluster_text_init(KlusterText *text);
extern void kluster_text_hole(KlusterText *text, KlusterHole hole, Expr *expression, Oid type, int32 typmod);

/* As a node that can be part of a plan; the expressions go into fdw_exprs. */
extern List *kluster_text_node(const KlusterText *text);

/* While executing. */
typedef struct KlusterQuery
{
	const char *sql;
	int			count;
	int		   *offsets;
	KlusterHole *holes;
	KlusterCodec **codecs;
	List	   *states;			/* ExprStates */
	StringInfoData filled;
} KlusterQuery;

extern KlusterQuery *kluster_query_begin(List *node, List *expressions, PlanState *parent);

/* The SQL with the values of now; valid until the next call. */
extern const char *kluster_query_fill(KlusterQuery *query, ExprContext *context);

/* The SQL with $1, $2 ... for people. */
extern char *kluster_query_show(List *node);

#endif
