/*
 * plan_table.c: sizes and paths of one table.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "relation.h"
#include "shippable.h"

/* A round trip to a shard, in the unit of the planner's costs. */
#define ROUND_TRIP_COST 25.0

/* A row over the network. */
#define TRANSFER_COST 0.02

/* A row that the shard looks at. */
#define REMOTE_ROW_COST 0.005

void
kluster_cost(Path *path, double scanned, double delivered)
{
	path->rows = delivered;
	path->startup_cost = ROUND_TRIP_COST;
	path->total_cost = ROUND_TRIP_COST + scanned * REMOTE_ROW_COST + delivered * TRANSFER_COST;
}

bool
kluster_is_locked(PlannerInfo *root, Relids own)
{
	ListCell   *cell;

	if ((root->parse->commandType == CMD_UPDATE || root->parse->commandType == CMD_DELETE) &&
		bms_overlap(root->all_result_relids, own))
		return true;
	foreach(cell, root->rowMarks)
	{
		PlanRowMark *mark = lfirst_node(PlanRowMark, cell);

		if (mark->strength != LCS_NONE && bms_is_member(mark->rti, own))
			return true;
	}
	return false;
}

/* The column of the table that the condition requires to be equal to something else; 0: none. */
static AttrNumber
bound_column(Relids own, Expr *condition)
{
	OpExpr	   *operation = (OpExpr *) condition;

	if (!IsA(condition, OpExpr) || list_length(operation->args) != 2 || !kluster_ships_condition(own, condition) ||
		strcmp(kluster_operator_spelling(operation->opno).text, "=") != 0)
		return 0;
	for (int side = 0; side < 2; side++)
	{
		Node	   *column = strip_implicit_coercions(list_nth(operation->args, side));
		Node	   *other = list_nth(operation->args, 1 - side);

		if (IsA(column, Var) && bms_is_member(((Var *) column)->varno, own) &&
			!bms_overlap(pull_varnos(NULL, other), own))
			return ((Var *) column)->varattno;
	}
	return 0;
}

/* Do the conditions leave at most one row, because they give the whole primary key? */
static bool
is_one_row(RelOptInfo *rel, Oid relation, List *conditions)
{
	Bitmapset  *keys = kluster_key_columns(relation);
	ListCell   *cell;

	if (bms_is_empty(keys))
		return false;
	foreach(cell, conditions)
	{
		AttrNumber	column = bound_column(rel->relids, lfirst_node(RestrictInfo, cell)->clause);

		if (column > 0)
			keys = bms_del_member(keys, column);
	}
	return bms_is_empty(keys);
}

static void
classify(RelOptInfo *rel, KlusterRel *info)
{
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *condition = lfirst_node(RestrictInfo, cell);

		/* PostgreSQL checks one without columns before the scan of the table, but not before anything made from it. */
		if (!condition->pseudoconstant && kluster_ships_condition(rel->relids, condition->clause))
			info->remote = lappend(info->remote, condition);
		else
			info->local = lappend(info->local, condition);
	}
}

void
kluster_get_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relation)
{
	KlusterRel *info = palloc0(sizeof(KlusterRel));

	/* PostgreSQL refuses it for a table by itself, but not for its partitions. */
	if (planner_rt_fetch(rel->relid, root)->tablesample != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("TABLESAMPLE is not supported for sharded table \"%s\"", get_rel_name(relation))));
	rel->fdw_private = info;
	info->table = kluster_table(relation);
	info->shard = info->table->shard;
	info->own = rel->relids;
	classify(rel, info);
	if (is_one_row(rel, relation, info->remote))
	{
		/* No need to ask how large the table is. */
		rel->tuples = Max(rel->tuples, 1);
		set_baserel_size_estimates(root, rel);
		rel->rows = 1;
		info->scanned = 1;
		return;
	}
	if (rel->tuples <= 0)
		rel->tuples = kluster_table_rows(relation, info->table);
	set_baserel_size_estimates(root, rel);
	info->scanned = rel->tuples;
}

static ForeignPath *
new_path(PlannerInfo *root, RelOptInfo *rel, List *pathkeys, Relids outer)
{
	return create_foreignscan_path(root, rel, NULL, rel->rows, 0, 0, pathkeys, outer, NULL, NIL);
}

/* Is it the column of the primary key that callers look for? */
static bool
is_wanted_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class, EquivalenceMember *member, void *wanted)
{
	Node	   *column = strip_implicit_coercions((Node *) member->em_expr);

	return IsA(column, Var) && ((Var *) column)->varno == rel->relid &&
		((Var *) column)->varattno == *(AttrNumber *) wanted;
}

static List *
join_clauses_of(PlannerInfo *root, RelOptInfo *rel, AttrNumber column)
{
	List	   *clauses = NIL;
	ListCell   *cell;

	if (rel->has_eclass_joins)
		clauses = generate_implied_equalities_for_column(root, rel, is_wanted_column, &column, rel->lateral_referencers);
	foreach(cell, rel->joininfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (join_clause_is_movable_to(clause, rel) && bound_column(rel->relids, clause->clause) == column)
			clauses = lappend(clauses, clause);
	}
	return clauses;
}

static void
add_lookup_path(PlannerInfo *root, RelOptInfo *rel, Oid relation, Relids outer)
{
	ParamPathInfo *parameters = get_baserel_parampathinfo(root, rel, outer);
	List	   *conditions = list_concat_copy(kluster_rel(rel)->remote, parameters->ppi_clauses);
	ForeignPath *path;

	/* Other nodes read it from there. */
	if (is_one_row(rel, relation, conditions))
		parameters->ppi_rows = 1;
	path = new_path(root, rel, NIL, outer);
	kluster_cost(&path->path, parameters->ppi_rows, parameters->ppi_rows);
	add_path(rel, (Path *) path);
}

/* Paths that look rows up by columns of the primary key, once for each row of another table. */
static void
add_lookup_paths(PlannerInfo *root, RelOptInfo *rel, Oid relation)
{
	Bitmapset  *keys = kluster_key_columns(relation);
	List	   *done = NIL;
	int			column = -1;

	while ((column = bms_next_member(keys, column)) >= 0)
	{
		ListCell   *cell;

		foreach(cell, join_clauses_of(root, rel, (AttrNumber) column))
		{
			RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
			Relids		outer = bms_union(clause->clause_relids, rel->lateral_relids);

			outer = bms_del_members(outer, rel->relids);
			if (bms_is_empty(outer) || !kluster_ships_condition(rel->relids, clause->clause) ||
				list_member(done, outer))
				continue;
			done = lappend(done, outer);
			add_lookup_path(root, rel, relation, outer);
		}
	}
}

void
kluster_get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relation)
{
	KlusterRel *info = kluster_rel(rel);
	double		delivered = rel->tuples * clauselist_selectivity(root, info->remote, rel->relid, JOIN_INNER, NULL);
	ForeignPath *path = new_path(root, rel, NIL, rel->lateral_relids);

	delivered = clamp_row_est(info->scanned == 1 ? 1 : delivered);
	kluster_cost(&path->path, info->scanned, delivered);
	path->path.rows = rel->rows;
	add_path(rel, (Path *) path);
	if (kluster_ships_pathkeys(root, rel, root->query_pathkeys))
	{
		path = new_path(root, rel, root->query_pathkeys, rel->lateral_relids);
		kluster_cost(&path->path, info->scanned * 1.2, delivered);
		path->path.rows = rel->rows;
		add_path(rel, (Path *) path);
	}
	if (bms_is_empty(rel->lateral_relids))
		add_lookup_paths(root, rel, relation);
}
