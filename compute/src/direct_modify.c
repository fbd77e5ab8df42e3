/*
 * direct_modify.c: UPDATE and DELETE as one statement for the shard.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "deferral.h"
#include "deparse.h"
#include "modify.h"
#include "quote.h"
#include "relation.h"
#include "scan.h"
#include "shippable.h"
#include "targets.h"

/* The items of fdw_private. */
typedef enum DirectItem
{
	DIRECT_TEXT,
	DIRECT_SHARD,
	DIRECT_COUNTS				/* integer: 1 when the rows count for the command tag */
} DirectItem;

typedef struct Direct
{
	KlusterQuery *query;
	uint32		shard;
	bool		counts;
} Direct;

/* The scan of the table below the ModifyTable, if nothing is between them. */
static ForeignScan *
scan_below(ModifyTable *plan, Index table, int subplan)
{
	Plan	   *below = outerPlan(plan);

	if (IsA(below, Append))
	{
		Append	   *append = (Append *) below;

		if (subplan >= list_length(append->appendplans))
			return NULL;
		below = list_nth(append->appendplans, subplan);
	}
	if (!IsA(below, ForeignScan) || ((ForeignScan *) below)->scan.scanrelid != table || below->qual != NIL)
		return NULL;
	return (ForeignScan *) below;
}

/* Is it computed here, before the statement is sent? */
static bool
is_value(Relids own, Expr *expression)
{
	Node	   *node = (Node *) expression;

	return !bms_overlap(pull_varnos(NULL, node), own) && !contain_volatile_functions(node) && !contain_subplans(node);
}

static bool
is_own_column(Relids own, Expr *expression, const Var *column)
{
	Var		   *other = (Var *) expression;

	return IsA(expression, Var) && bms_is_member(other->varno, own) && other->varattno > 0 &&
		other->vartype == column->vartype && other->vartypmod == column->vartypmod;
}

/* numeric(p,s): a sum is rounded to the column's scale in the same way by both; what is too large is an error in both. */
static Expr *
without_rounding(Expr *expression, const Var *column)
{
	FuncExpr   *call = (FuncExpr *) expression;

	if (IsA(expression, FuncExpr) && call->funcid == F_NUMERIC_NUMERIC_INT4 && exprTypmod((Node *) call) == column->vartypmod)
		return linitial(call->args);
	return expression;
}

/* column + value and the like; a result that the column cannot keep is an error in both. */
static bool
is_simple_sum(Relids own, Expr *expression, const Var *column)
{
	OpExpr	   *operation = (OpExpr *) without_rounding(expression, column);
	char	   *name;
	bool		is_sum;
	KlusterForm form;
	ListCell   *cell;

	if (!IsA(operation, OpExpr) || list_length(operation->args) != 2 || operation->opno >= FirstGenbkiObjectId ||
		operation->opresulttype != getBaseType(column->vartype))
		return false;
	name = get_opname(operation->opno);
	is_sum = strcmp(name, "+") == 0 || strcmp(name, "-") == 0;
	if (!is_sum || (operation->opresulttype == NUMERICOID && (Expr *) operation == expression))
		return false;
	foreach(cell, operation->args)
		if (!kluster_ships(own, lfirst(cell), &form) || (form != KLUSTER_INTEGER && form != KLUSTER_DECIMAL) ||
			(!IsA(lfirst(cell), Var) && !is_value(own, lfirst(cell))))
			return false;
	return true;
}

static bool
is_assignable(Relids own, Expr *expression, const Var *column)
{
	if (is_value(own, expression))
		return getBaseType(exprType((Node *) expression)) == getBaseType(column->vartype);
	return is_own_column(own, expression, column) || is_simple_sum(own, expression, column);
}

/* MySQL assigns from left to right and sees what it has assigned; PostgreSQL sees the old row. */
static bool
sees_assigned(Expr *expression, Index table, Bitmapset *assigned)
{
	Bitmapset  *used = NULL;

	pull_varattnos((Node *) expression, table, &used);
	return bms_overlap(used, assigned);
}

static bool
partition_depends_on(Relation relation, Index table, Bitmapset *assigned)
{
	Bitmapset  *used = NULL;

	if (!relation->rd_rel->relispartition)
		return false;
	pull_varattnos((Node *) RelationGetPartitionQual(relation), 1, &used);
	return bms_overlap(used, assigned);
}

static Var *
column_var(Relation relation, Index table, AttrNumber attribute)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attribute - 1);

	return makeVar(table, attribute, column->atttypid, column->atttypmod, column->attcollation, 0);
}

/* PostgreSQL checks CHECK constraints, so it has to see the rows; and its error about a constant NULL is the better one. */
static bool
is_unchecked(Relation relation, AttrNumber attribute, Expr *expression)
{
	TupleConstr *constraints = RelationGetDescr(relation)->constr;
	bool		is_null = IsA(expression, Const) && ((Const *) expression)->constisnull;

	return (constraints == NULL || constraints->num_check == 0) &&
		(!is_null || !TupleDescAttr(RelationGetDescr(relation), attribute - 1)->attnotnull);
}

static bool
all_assignable(Relation relation, Index table, Relids own, List *targets, List *attributes)
{
	Bitmapset  *assigned = NULL;
	ListCell   *target;
	ListCell   *attribute;

	forboth(target, targets, attribute, attributes)
	{
		Expr	   *expression = lfirst_node(TargetEntry, target)->expr;
		AttrNumber	number = (AttrNumber) lfirst_int(attribute);

		if (number <= 0 || !is_assignable(own, expression, column_var(relation, table, number)) ||
			!is_unchecked(relation, number, expression) || sees_assigned(expression, table, assigned))
			return false;
		assigned = bms_add_member(assigned, number - FirstLowInvalidHeapAttributeNumber);
	}
	return assigned != NULL && !partition_depends_on(relation, table, assigned);
}

static void
deparse_value(KlusterDeparse *deparse, Expr *expression, const Var *column)
{
	StringInfo	sql = &deparse->out->sql;
	OpExpr	   *operation = (OpExpr *) without_rounding(expression, column);

	if (is_value(deparse->own, expression))
		kluster_text_hole(deparse->out, KLUSTER_HOLE_STORED, expression, column->vartype, column->vartypmod);
	else if (IsA(expression, Var))
		kluster_deparse_expression(deparse, expression);
	else
	{
		kluster_deparse_expression(deparse, linitial(operation->args));
		appendStringInfo(sql, " %s ", get_opname(operation->opno));
		kluster_deparse_expression(deparse, lsecond(operation->args));
	}
}

static void
deparse_assignments(KlusterDeparse *deparse, Relation relation, Index table, List *targets, List *attributes)
{
	ListCell   *target;
	ListCell   *attribute;

	forboth(target, targets, attribute, attributes)
	{
		AttrNumber	number = (AttrNumber) lfirst_int(attribute);

		appendStringInfoString(&deparse->out->sql, foreach_current_index(target) == 0 ? " SET " : ", ");
		kluster_deparse_column(deparse, table, number);
		appendStringInfoString(&deparse->out->sql, " = ");
		deparse_value(deparse, lfirst_node(TargetEntry, target)->expr, column_var(relation, table, number));
	}
}

/* For UPDATE: what is assigned to which columns; false when the shard cannot do it. */
static bool
find_assignments(PlannerInfo *root, Relation relation, Index table, List **targets, List **attributes)
{
	List	   *processed = NIL;

	get_translated_update_targetlist(root, table, &processed, attributes);
	*targets = NIL;
	for (int i = 0; i < list_length(*attributes); i++)
		*targets = lappend(*targets, list_nth(processed, i));
	return all_assignable(relation, table, find_base_rel(root, table)->relids, *targets, *attributes);
}

bool
kluster_plan_direct(PlannerInfo *root, ModifyTable *plan, Index table, int subplan)
{
	ForeignScan *scan = scan_below(plan, table, subplan);
	Relation	relation;
	List	   *targets = NIL;
	List	   *attributes = NIL;
	KlusterText text;
	KlusterDeparse deparse = {.root = root, .out = &text};
	KlusterTable *remote;
	bool		ships = true;

	if (scan == NULL || plan->returningLists != NIL || (plan->operation != CMD_UPDATE && plan->operation != CMD_DELETE))
		return false;
	relation = table_open(planner_rt_fetch(table, root)->relid, NoLock);
	if (plan->operation == CMD_UPDATE)
		ships = find_assignments(root, relation, table, &targets, &attributes);
	if (ships)
	{
		remote = kluster_table(RelationGetRelid(relation));
		deparse.own = find_base_rel(root, table)->relids;
		kluster_text_init(&text);
		appendStringInfoString(&text.sql, plan->operation == CMD_UPDATE ? "UPDATE " : "DELETE FROM ");
		kluster_append_table(&text.sql, remote);
		appendStringInfoString(&text.sql, " AS ");
		kluster_append_alias(&text.sql, table);
		deparse_assignments(&deparse, relation, table, targets, attributes);
		kluster_deparse_conditions(&deparse, " WHERE ", scan->fdw_recheck_quals);
		scan->operation = plan->operation;
		scan->resultRelation = table;
		scan->fdw_exprs = text.expressions;
		scan->fdw_private = list_make3(kluster_text_node(&text), makeInteger((int) remote->shard),
									   makeInteger(plan->canSetTag));
		/* Changes run one after another. */
		scan->scan.plan.async_capable = false;
		scan->scan.plan.lefttree = NULL;
	}
	table_close(relation, NoLock);
	return ships;
}

void
kluster_begin_direct(ForeignScanState *node, int flags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Direct	   *direct;

	if (flags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	direct = palloc0(sizeof(Direct));
	direct->query = kluster_query_begin(list_nth(plan->fdw_private, DIRECT_TEXT), plan->fdw_exprs, &node->ss.ps);
	direct->shard = (uint32) intVal(list_nth(plan->fdw_private, DIRECT_SHARD));
	direct->counts = intVal(list_nth(plan->fdw_private, DIRECT_COUNTS)) != 0;
	node->fdw_state = direct;
}

TupleTableSlot *
kluster_iterate_direct(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;
	const char *sql = kluster_query_fill(direct->query, node->ss.ps.ps_ExprContext);
	KlusterChange change = {
		.shard = direct->shard,
		.relation = RelationGetRelid(node->resultRelInfo->ri_RelationDesc),
		.sql = sql,
	};
	uint64		affected;

	if (kluster_start_scans(node->ss.ps.state) && !direct->counts)
	{
		kluster_defer(node->ss.ps.state, &change, false);
		return ExecClearTuple(node->ss.ss_ScanTupleSlot);
	}
	affected = kluster_change(&change);
	if (direct->counts)
		node->ss.ps.state->es_processed += affected;
	if (node->ss.ps.instrument != NULL)
		node->ss.ps.instrument->tuplecount += affected;
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

void
kluster_end_direct(ForeignScanState *node)
{
	if (node->fdw_state != NULL)
		kluster_send_deferred(node->ss.ps.state);
}

void
kluster_explain_direct(ForeignScanState *node, ExplainState *explain)
{
	List	   *private = ((ForeignScan *) node->ss.ps.plan)->fdw_private;
	int			shard = intVal(list_nth(private, DIRECT_SHARD));

	ExplainPropertyText("Shard", shard == KLUSTER_ALL_SHARDS ? "all" : psprintf("%u", (uint32) shard), explain);
	ExplainPropertyText("Remote SQL", kluster_query_show(list_nth(private, DIRECT_TEXT)), explain);
}
