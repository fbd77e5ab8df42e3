/*
 * plan_scan.c: from a path to the plan of a scan.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "optimizer/prep.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "deparse.h"
#include "relation.h"
#include "shippable.h"

/* The columns of a table that the statement needs, as expressions. */
static List *
needed_columns(PlannerInfo *root, RelOptInfo *rel, List *local)
{
	Bitmapset  *used = NULL;
	List	   *columns = NIL;
	Relation	relation = table_open(planner_rt_fetch(rel->relid, root)->relid, NoLock);
	TupleDesc	description = RelationGetDescr(relation);
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	pull_varattnos((Node *) local, rel->relid, &used);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	for (int i = 0; i < description->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(description, i);

		if (!attribute->attisdropped &&
			(whole_row || bms_is_member(attribute->attnum - FirstLowInvalidHeapAttributeNumber, used)))
			columns = lappend(columns, makeVar(rel->relid, attribute->attnum, attribute->atttypid,
											   attribute->atttypmod, attribute->attcollation, 0));
	}
	table_close(relation, NoLock);
	if (bms_is_member(SelfItemPointerAttributeNumber - FirstLowInvalidHeapAttributeNumber, used) &&
		kluster_rel(rel)->table->row_column != NULL)
		columns = lappend(columns, makeVar(rel->relid, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0));
	return columns;
}

/* A join delivers the columns that are needed above it or by local conditions. */
static List *
join_targets(RelOptInfo *rel, List *local)
{
	List	   *targets = add_to_flat_tlist(NIL, pull_var_clause((Node *) rel->reltarget->exprs, PVC_RECURSE_PLACEHOLDERS));

	return add_to_flat_tlist(targets, pull_var_clause((Node *) local, PVC_RECURSE_PLACEHOLDERS));
}

static const char *
row_mark_clause(PlanRowMark *mark)
{
	bool		exclusive = mark->strength == LCS_FORUPDATE || mark->strength == LCS_FORNOKEYUPDATE;

	switch (mark->waitPolicy)
	{
		case LockWaitError:
			return exclusive ? " FOR UPDATE NOWAIT" : " FOR SHARE NOWAIT";
		case LockWaitSkip:
			return exclusive ? " FOR UPDATE SKIP LOCKED" : " FOR SHARE SKIP LOCKED";
		default:
			return exclusive ? " FOR UPDATE" : " FOR SHARE";
	}
}

static const char *
locking_clause(PlannerInfo *root, RelOptInfo *rel)
{
	PlanRowMark *mark = get_plan_rowmark(root->rowMarks, rel->relid);

	if (!kluster_is_locked(root, rel->relids))
		return NULL;
	if (mark != NULL && mark->strength != LCS_NONE)
		return row_mark_clause(mark);
	return " FOR UPDATE";
}

/* Splits the conditions of a table's scan, which may have values of other tables in them. */
static void
split_clauses(RelOptInfo *rel, List *clauses, List **remote, List **local)
{
	ListCell   *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (clause->pseudoconstant)
			continue;
		if (kluster_ships_condition(rel->relids, clause->clause))
			*remote = lappend(*remote, clause->clause);
		else
			*local = lappend(*local, clause->clause);
	}
}

static List *
target_expressions(List *targets)
{
	List	   *expressions = NIL;
	ListCell   *cell;

	foreach(cell, targets)
		expressions = lappend(expressions, lfirst_node(TargetEntry, cell)->expr);
	return expressions;
}

/* Where the fields go: to the columns of the table, or in sequence. */
static List *
attributes_of(List *expressions, bool of_table)
{
	List	   *attributes = NIL;
	ListCell   *cell;

	foreach(cell, expressions)
		attributes = lappend_int(attributes, of_table ? lfirst_node(Var, cell)->varattno : foreach_current_index(cell) + 1);
	return attributes;
}

static List *
averages_of(List *expressions)
{
	List	   *averages = NIL;
	ListCell   *cell;

	foreach(cell, expressions)
		averages = lappend_int(averages, IsA(lfirst(cell), Aggref) && kluster_is_average(lfirst(cell)));
	return averages;
}

ForeignScan *
kluster_get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relation, ForeignPath *path, List *targets,
				 List *clauses, Plan *outer)
{
	KlusterRel *info = kluster_rel(rel);
	bool		of_table = info->table != NULL;
	KlusterText text;
	KlusterDeparse deparse = {.root = root, .own = info->own, .out = &text};
	KlusterSelect select = {
		.from = info->below != NULL ? info->below : rel,
		.groups = info->groups,
		.pathkeys = path->path.pathkeys,
		.ordered = info->below != NULL && !info->is_grouped ? info->below : rel,
		.limit = path->fdw_private == NIL ? NULL : linitial(path->fdw_private),
	};
	List	   *local = NIL;
	List	   *scan_targets = NIL;

	if (of_table)
	{
		/* A scan below a pushed LIMIT gets no conditions from the planner, only those of the table. */
		split_clauses(rel, clauses, &select.where, &local);
		select.targets = needed_columns(root, rel, local);
		select.locking = locking_clause(root, rel);
	}
	else if (info->below != NULL)
	{
		select.where = extract_actual_clauses(kluster_rel(info->below)->remote, false);
		local = info->local;
		scan_targets = info->targets;
	}
	else
	{
		select.where = extract_actual_clauses(info->remote, false);
		local = extract_actual_clauses(info->local, false);
		scan_targets = join_targets(rel, local);
	}
	if (!of_table)
		select.targets = target_expressions(scan_targets);
	kluster_text_init(&text);
	kluster_deparse_select(&deparse, &select);
	return make_foreignscan(targets, local, of_table ? rel->relid : 0, text.expressions,
							list_make5(kluster_text_node(&text), attributes_of(select.targets, of_table),
									   averages_of(select.targets), makeInteger((int) info->shard),
									   makeInteger(select.locking != NULL)),
							scan_targets, of_table ? select.where : NIL, outer);
}
