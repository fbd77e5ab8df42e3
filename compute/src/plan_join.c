/*
 * plan_join.c: joins of tables that are on the same shard.
 *
 * Inner and left joins; MySQL has no full join, and semi-joins are left to the
 * planner. Statements that lock or change rows join here: PostgreSQL wants to
 * see each table's row then.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/restrictinfo.h"

#include "relation.h"
#include "shippable.h"

static bool
is_deliverable(RelOptInfo *rel)
{
	KlusterRel *info = rel->fdw_private;

	return info != NULL && info->local == NIL;
}

static bool
same_shard(KlusterRel *outer, KlusterRel *inner, uint32 *shard)
{
	*shard = outer->shard == KLUSTER_ALL_SHARDS ? inner->shard : outer->shard;
	return outer->shard == inner->shard || outer->shard == KLUSTER_ALL_SHARDS || inner->shard == KLUSTER_ALL_SHARDS;
}

/* Are all columns that are needed above plain columns of the tables? */
static bool
delivers_columns(PlannerInfo *root, RelOptInfo *join)
{
	ListCell   *cell;

	foreach(cell, root->placeholder_list)
	{
		PlaceHolderInfo *placeholder = lfirst(cell);

		if (bms_is_subset(placeholder->ph_eval_at, join->relids))
			return false;
	}
	foreach(cell, pull_var_clause((Node *) join->reltarget->exprs, PVC_RECURSE_PLACEHOLDERS))
		if (lfirst_node(Var, cell)->varattno <= 0)
			return false;
	return true;
}

/* Sorts the conditions of the join; false when the shard cannot do it. */
static bool
take_conditions(KlusterRel *info, List *restrictions, Relids relids)
{
	ListCell   *cell;

	foreach(cell, restrictions)
	{
		RestrictInfo *condition = lfirst_node(RestrictInfo, cell);
		bool		ships = kluster_ships_condition(info->own, condition->clause);

		if (condition->pseudoconstant)
			return false;
		if (info->is_left && !RINFO_IS_PUSHED_DOWN(condition, relids))
		{
			if (!ships)
				return false;
			info->on = lappend(info->on, condition);
		}
		else if (ships)
			info->remote = lappend(info->remote, condition);
		else
			info->local = lappend(info->local, condition);
	}
	return true;
}

static KlusterRel *
joined(RelOptInfo *join, RelOptInfo *outer, RelOptInfo *inner, JoinType type)
{
	KlusterRel *info = palloc0(sizeof(KlusterRel));

	info->own = join->relids;
	info->outer = outer;
	info->inner = inner;
	info->is_left = type == JOIN_LEFT;
	info->scanned = kluster_rel(outer)->scanned + kluster_rel(inner)->scanned;
	info->remote = list_copy(kluster_rel(outer)->remote);
	/* What restricts the inner side of a left join decides about matches, not about rows. */
	if (info->is_left)
		info->on = list_copy(kluster_rel(inner)->remote);
	else
		info->remote = list_concat(info->remote, kluster_rel(inner)->remote);
	return info;
}

void
kluster_get_join_paths(PlannerInfo *root, RelOptInfo *join, RelOptInfo *outer, RelOptInfo *inner,
					   JoinType type, JoinPathExtraData *extra)
{
	KlusterRel *info;
	ForeignPath *path;
	uint32		shard;

	if (join->fdw_private != NULL || (type != JOIN_INNER && type != JOIN_LEFT) ||
		!bms_is_empty(join->lateral_relids) || root->parse->commandType != CMD_SELECT || root->rowMarks != NIL ||
		!is_deliverable(outer) || !is_deliverable(inner) ||
		!same_shard(kluster_rel(outer), kluster_rel(inner), &shard) || !delivers_columns(root, join))
		return;
	info = joined(join, outer, inner, type);
	info->shard = shard;
	if (!take_conditions(info, extra->restrictlist, join->relids))
		return;
	join->fdw_private = info;
	path = create_foreign_join_path(root, join, NULL, join->rows, 0, 0, NIL, NULL, NULL, NIL);
	kluster_cost(&path->path, info->scanned + join->rows, join->rows);
	add_path(join, (Path *) path);
	if (!kluster_ships_pathkeys(root, join, root->query_pathkeys))
		return;
	path = create_foreign_join_path(root, join, NULL, join->rows, 0, 0, root->query_pathkeys, NULL, NULL, NIL);
	kluster_cost(&path->path, info->scanned + join->rows * 2, join->rows);
	add_path(join, (Path *) path);
}
