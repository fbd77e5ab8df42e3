/*
 * plan_upper.c: groups and aggregates, and the limit of what is sorted.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/tlist.h"
#include "utils/selfuncs.h"

#include "relation.h"
#include "shippable.h"

static bool
add_target(KlusterRel *info, Expr *expression)
{
	if (tlist_member(expression, info->targets) == NULL)
		info->targets = add_to_flat_tlist(info->targets, list_make1(expression));
	return true;
}

/* Of decimals only columns: the scale that MySQL gives to other expressions is not known. */
static bool
groups_by(KlusterRel *info, Expr *expression)
{
	KlusterForm form;

	if (!kluster_ships_grouping(info->own, expression) || !kluster_ships(info->own, expression, &form) ||
		kluster_is_parameter(info->own, expression) ||
		(!IsA(expression, Var) && (form == KLUSTER_DECIMAL || form == KLUSTER_PADDED)))
		return false;
	info->groups = lappend(info->groups, expression);
	return add_target(info, expression);
}

/* Takes what an expression over groups is made of: aggregates and grouping expressions. */
static bool
takes_parts(KlusterRel *info, Node *expression)
{
	ListCell   *cell;

	if (tlist_member((Expr *) expression, info->targets) != NULL)
		return true;
	foreach(cell, pull_var_clause(expression, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_PLACEHOLDERS))
	{
		Expr	   *part = lfirst(cell);

		if (IsA(part, Aggref))
		{
			if (!kluster_ships_aggregate(info->own, (Aggref *) part))
				return false;
			add_target(info, part);
		}
		else if (tlist_member(part, info->targets) == NULL)
			return false;
	}
	return true;
}

static bool
takes_groups(PlannerInfo *root, KlusterRel *info, RelOptInfo *output, List *having)
{
	ListCell   *cell;

	foreach(cell, root->parse->groupClause)
		if (!groups_by(info, (Expr *) get_sortgroupclause_expr(lfirst(cell), root->processed_tlist)))
			return false;
	foreach(cell, output->reltarget->exprs)
		if (!takes_parts(info, lfirst(cell)))
			return false;
	foreach(cell, having)
		if (!takes_parts(info, lfirst(cell)))
			return false;
	info->local = having;
	return true;
}

static void
add_group_paths(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, GroupPathExtraData *extra)
{
	KlusterRel *below = input->fdw_private;
	KlusterRel *info;
	ForeignPath *path;
	double		groups = 1;

	if (below == NULL || below->local != NIL || root->parse->groupingSets != NIL || !root->parse->hasAggs ||
		root->parse->hasTargetSRFs || kluster_is_locked(root, below->own) || below->is_grouped ||
		extra->patype != PARTITIONWISE_AGGREGATE_NONE || output->fdw_private != NULL)
		return;
	info = palloc0(sizeof(KlusterRel));
	info->shard = below->shard;
	info->own = below->own;
	info->below = input;
	info->is_grouped = true;
	info->scanned = below->scanned;
	if (!takes_groups(root, info, output, (List *) extra->havingQual))
		return;
	if (info->groups != NIL)
		groups = estimate_num_groups(root, info->groups, input->rows, NULL, NULL);
	output->fdw_private = info;
	path = create_foreign_upper_path(root, output, output->reltarget, groups, 0, 0, NIL, NULL, NIL);
	kluster_cost(&path->path, info->scanned, groups);
	add_path(output, (Path *) path);
}

/* Nothing to add yet: the limit above wants to know. */
static void
note_order(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output)
{
	KlusterRel *info;

	if (input->fdw_private == NULL || kluster_rel(input)->local != NIL ||
		!kluster_ships_pathkeys(root, input, root->sort_pathkeys))
		return;
	info = palloc0(sizeof(KlusterRel));
	info->unordered = input;
	output->fdw_private = info;
}

static bool
is_constant_limit(Node *limit)
{
	Const	   *constant = (Const *) limit;

	return limit == NULL || (IsA(limit, Const) && (constant->constisnull || DatumGetInt64(constant->constvalue) >= 0));
}

/* What the limit is applied to, with the columns that the statement delivers. */
static KlusterRel *
limited(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output)
{
	KlusterRel *from = kluster_rel(input);
	KlusterRel *info = palloc0(sizeof(KlusterRel));
	ListCell   *cell;

	*info = *from;
	if (from->is_grouped)
		return info;
	info->table = NULL;
	info->below = input;
	foreach(cell, pull_var_clause((Node *) root->upper_targets[UPPERREL_FINAL]->exprs, PVC_RECURSE_PLACEHOLDERS))
	{
		if (lfirst_node(Var, cell)->varattno <= 0)
			return NULL;
		add_target(info, lfirst(cell));
	}
	return info;
}

/* Upper relations know their rows by their paths only. */
static double
limited_rows(RelOptInfo *input, FinalPathExtraData *extra)
{
	double		rows = input->pathlist == NIL ? input->rows : ((Path *) linitial(input->pathlist))->rows;

	return extra->count_est > 0 ? Min(rows, (double) extra->count_est) : rows;
}

static void
add_final_paths(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, FinalPathExtraData *extra)
{
	Query	   *parse = root->parse;
	List	   *pathkeys = NIL;
	KlusterRel *info;
	KlusterLimit *limit;
	ForeignPath *path;

	if (!extra->limit_needed || parse->commandType != CMD_SELECT || root->rowMarks != NIL || parse->hasTargetSRFs ||
		parse->limitOption != LIMIT_OPTION_COUNT || input->fdw_private == NULL ||
		!is_constant_limit(parse->limitCount) || !is_constant_limit(parse->limitOffset))
		return;
	if (kluster_rel(input)->unordered != NULL)
	{
		input = kluster_rel(input)->unordered;
		pathkeys = root->sort_pathkeys;
	}
	if (kluster_rel(input)->local != NIL || (info = limited(root, input, output)) == NULL)
		return;
	limit = palloc(sizeof(KlusterLimit));
	limit->count = parse->limitCount;
	limit->offset = parse->limitOffset;
	output->fdw_private = info;
	path = create_foreign_upper_path(root, output, root->upper_targets[UPPERREL_FINAL],
									 limited_rows(input, extra), 0, 0, pathkeys, NULL, list_make1(limit));
	kluster_cost(&path->path, pathkeys == NIL ? limited_rows(input, extra) : info->scanned,
				 limited_rows(input, extra));
	add_path(output, (Path *) path);
}

void
kluster_get_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (stage == UPPERREL_GROUP_AGG)
		add_group_paths(root, input, output, extra);
	else if (stage == UPPERREL_ORDERED)
		note_order(root, input, output);
	else if (stage == UPPERREL_FINAL)
		add_final_paths(root, input, output, extra);
}
