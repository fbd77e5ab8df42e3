/*
 * deparse.h: expressions and statements as MySQL text.
 */
#ifndef KLUSTER_DEPARSE_H
#define KLUSTER_DEPARSE_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "query_text.h"
#include "relation.h"

/* A statement under construction. */
typedef struct KlusterDeparse
{
	PlannerInfo *root;
	Relids		own;			/* the tables in it; other columns are values */
	KlusterText *out;
} KlusterDeparse;

/* deparse_expression.c: only for what ships (shippable.h). */
extern void kluster_deparse_expression(KlusterDeparse *deparse, Expr *expression);
extern void kluster_deparse_column(KlusterDeparse *deparse, Index table, AttrNumber attribute);

/* `prefix`, then the conditions joined by AND; nothing for none. */
extern void kluster_deparse_conditions(KlusterDeparse *deparse, const char *prefix, List *conditions);

/* deparse.c */
typedef struct KlusterSelect
{
	RelOptInfo *from;			/* a table or a join */
	List	   *targets;		/* expressions */
	List	   *where;
	List	   *groups;
	List	   *pathkeys;		/* the order, found in `ordered` */
	RelOptInfo *ordered;
	KlusterLimit *limit;
	const char *locking;
} KlusterSelect;

extern void kluster_deparse_select(KlusterDeparse *deparse, const KlusterSelect *select);

/* The name of the table, qualified. */
extern void kluster_append_table(StringInfo out, const KlusterTable *table);

/* The alias of a table in statements. */
extern void kluster_append_alias(StringInfo out, Index table);

#endif
