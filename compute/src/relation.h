/*
 * relation.h: what the planner knows about a relation that a shard can deliver:
 * a table, a join of tables, or groups of either.
 */
#ifndef KLUSTER_RELATION_H
#define KLUSTER_RELATION_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"

#include "options.h"

typedef struct KlusterRel
{
	uint32		shard;			/* KLUSTER_ALL_SHARDS: any */
	Relids		own;			/* the tables in it */
	List	   *remote;			/* conditions that the shard checks */
	List	   *local;			/* conditions that are checked here: RestrictInfos, expressions for groups */

	/* A table. */
	KlusterTable *table;
	double		scanned;		/* rows that the shard looks at */

	/* A join. */
	RelOptInfo *outer;
	RelOptInfo *inner;
	bool		is_left;
	List	   *on;				/* conditions of a left join */

	/* Groups of `below`. */
	RelOptInfo *below;
	List	   *targets;		/* target entries: grouping expressions and aggregates */
	List	   *groups;			/* grouping expressions */
	bool		is_grouped;

	/* The same rows in an order that the shard can make, before a limit. */
	RelOptInfo *unordered;
} KlusterRel;

static inline KlusterRel *
kluster_rel(RelOptInfo *rel)
{
	return rel->fdw_private;
}

/* plan_table.c */
extern void kluster_get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relation);
extern void kluster_get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relation);

/* plan_join.c */
extern void kluster_get_join_paths(PlannerInfo *root, RelOptInfo *join, RelOptInfo *outer, RelOptInfo *inner,
								   JoinType type, JoinPathExtraData *extra);

/* plan_order.c */
/* Can the shard sort like that? */
extern bool kluster_ships_pathkeys(PlannerInfo *root, RelOptInfo *rel, List *pathkeys);

/* The member of the pathkey's class that the shard can sort by, or NULL. */
extern Expr *kluster_sort_expression(RelOptInfo *rel, PathKey *pathkey);

/* plan_upper.c */
extern void kluster_get_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input,
									RelOptInfo *output, void *extra);

/* plan_scan.c */
extern ForeignScan *kluster_get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relation, ForeignPath *path,
									 List *targets, List *clauses, Plan *outer);

/* estimate.c: rows that the shard's statistics say the table has. */
extern double kluster_table_rows(Oid relation, const KlusterTable *table);

/* Sets the costs of a path that delivers so many rows of so many that the shard looks at. */
extern void kluster_cost(Path *path, double scanned, double delivered);

/* Does the statement change or lock rows of the relation? */
extern bool kluster_is_locked(PlannerInfo *root, Relids own);

/* What is in the fdw_private of a path: the limit that the shard applies, or NULLs. */
typedef struct KlusterLimit
{
	Node	   *count;
	Node	   *offset;
} KlusterLimit;

/* The items of fdw_private of a scan's plan. */
typedef enum KlusterScanItem
{
	KLUSTER_SCAN_TEXT,			/* query_text */
	KLUSTER_SCAN_ATTRIBUTES,	/* integers: where each field goes in the scan tuple */
	KLUSTER_SCAN_AVERAGES,		/* integers: 1 when the attribute is an average of two fields */
	KLUSTER_SCAN_SHARD,			/* integer */
	KLUSTER_SCAN_LOCKS			/* integer: 1 when it locks rows */
} KlusterScanItem;

#endif
