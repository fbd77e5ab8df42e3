/*
 * plan_order.c: what a shard can sort by.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"

#include "relation.h"
#include "shippable.h"

/* Groups are sorted by what is in them: by grouping expressions, and by exact numbers that are aggregates. */
static bool
sorts_groups_by(KlusterRel *info, Expr *expression, Oid collation)
{
	Oid			type = exprType((Node *) expression);

	if (tlist_member(expression, info->targets) == NULL)
		return false;
	if (IsA(expression, Aggref))
		return !kluster_is_average((Aggref *) expression) && (type == INT8OID || type == INT4OID || type == NUMERICOID);
	return kluster_ships_ordering(info->own, expression, collation);
}

static bool
sorts_by(KlusterRel *info, EquivalenceClass *class, EquivalenceMember *member)
{
	if (member->em_is_const)
		return false;
	if (info->is_grouped)
		return sorts_groups_by(info, member->em_expr, class->ec_collation);
	return !bms_is_empty(member->em_relids) && bms_is_subset(member->em_relids, info->own) &&
		kluster_ships_ordering(info->own, member->em_expr, class->ec_collation);
}

Expr *
kluster_sort_expression(RelOptInfo *rel, PathKey *pathkey)
{
	EquivalenceClass *class = pathkey->pk_eclass;
	ListCell   *cell;

	if (class->ec_has_volatile || pathkey->pk_opfamily >= FirstGenbkiObjectId)
		return NULL;
	foreach(cell, class->ec_members)
	{
		EquivalenceMember *member = lfirst_node(EquivalenceMember, cell);

		if (sorts_by(kluster_rel(rel), class, member))
			return member->em_expr;
	}
	return NULL;
}

bool
kluster_ships_pathkeys(PlannerInfo *root, RelOptInfo *rel, List *pathkeys)
{
	ListCell   *cell;

	foreach(cell, pathkeys)
		if (kluster_sort_expression(rel, lfirst_node(PathKey, cell)) == NULL)
			return false;
	return pathkeys != NIL;
}
