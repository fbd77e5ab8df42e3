/*
 * modify.c: UPDATE and DELETE row by row, and what they share with INSERT.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/inherit.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/plancat.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "deferral.h"
#include "deparse.h"
#include "modify.h"
#include "modify_state.h"
#include "quote.h"
#include "row_digest.h"
#include "row_identity.h"
#include "row_movement.h"
#include "scan.h"
#include "settings.h"
#include "targets.h"

List *
kluster_all_columns(Relation relation)
{
	List	   *columns = NIL;

	for (int i = 0; i < RelationGetDescr(relation)->natts; i++)
		if (!TupleDescAttr(RelationGetDescr(relation), i)->attisdropped)
			columns = lappend_int(columns, i + 1);
	return columns;
}

static List *
updated_columns(PlannerInfo *root, RelOptInfo *rel, Relation relation)
{
	Bitmapset  *updated;
	List	   *columns = NIL;
	int			column = -1;

	/* A trigger may change any column. */
	if (relation->trigdesc != NULL && relation->trigdesc->trig_update_before_row)
		return kluster_all_columns(relation);
	updated = get_rel_all_updated_cols(root, rel);
	while ((column = bms_next_member(updated, column)) >= 0)
		if (column + FirstLowInvalidHeapAttributeNumber > 0)
			columns = lappend_int(columns, column + FirstLowInvalidHeapAttributeNumber);
	return columns;
}

List *
kluster_plan_modify(PlannerInfo *root, ModifyTable *plan, Index table, int subplan)
{
	Relation	relation = table_open(planner_rt_fetch(table, root)->relid, NoLock);
	List	   *columns = NIL;

	if (plan->operation == CMD_INSERT)
		columns = kluster_all_columns(relation);
	else if (plan->operation == CMD_UPDATE)
		columns = updated_columns(root, find_base_rel(root, table), relation);
	table_close(relation, NoLock);
	return list_make1(columns);
}

static void
take_columns(KlusterModify *modify, List *columns)
{
	ListCell   *cell;

	modify->attributes = palloc(sizeof(AttrNumber) * (list_length(columns) + 1));
	modify->names = palloc(sizeof(char *) * (list_length(columns) + 1));
	modify->codecs = palloc(sizeof(KlusterCodec *) * (list_length(columns) + 1));
	foreach(cell, columns)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(modify->relation), lfirst_int(cell) - 1);
		KlusterType mapped;

		kluster_require_type(column->atttypid, column->atttypmod, NameStr(column->attname), &mapped);
		modify->attributes[modify->count] = column->attnum;
		modify->names[modify->count] = kluster_column_name(RelationGetRelid(modify->relation), column->attnum);
		modify->codecs[modify->count] = kluster_codec(column->atttypid, column->atttypmod);
		modify->count++;
	}
}

KlusterModify *
kluster_new_modify(EState *estate, ResultRelInfo *target, List *columns)
{
	KlusterModify	   *modify = palloc0(sizeof(KlusterModify));

	modify->estate = estate;
	modify->relation = target->ri_RelationDesc;
	modify->table = kluster_table(RelationGetRelid(modify->relation));
	modify->has_triggers = target->ri_TrigDesc != NULL ||
		(target->ri_RootResultRelInfo != NULL && target->ri_RootResultRelInfo->ri_TrigDesc != NULL);
	modify->scratch = AllocSetContextCreate(CurrentMemoryContext, "kluster modify", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&modify->statement);
	take_columns(modify, columns);
	return modify;
}

void
kluster_begin_modify(ModifyTableState *state, ResultRelInfo *target, List *private, int subplan, int flags)
{
	Plan	   *below = outerPlanState(state)->plan;
	KlusterModify	   *modify;

	if (flags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	modify = kluster_new_modify(state->ps.state, target, linitial(private));
	modify->state = state;
	target->ri_FdwState = modify;
	if (state->operation == CMD_INSERT)
		kluster_prepare_insert(modify, (ModifyTable *) state->ps.plan, target);
	else
		modify->identity = kluster_identity(modify->relation, modify->table, below->targetlist);
	if (state->operation != CMD_INSERT && !IsA(below, ForeignScan))
		modify->changed = kluster_make_digests();
}

void
kluster_check_row(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *slot, EState *estate)
{
	if (modify->relation->rd_att->constr != NULL)
		ExecConstraints(target, slot, estate);
	if (modify->relation->rd_rel->relispartition && target->ri_RootResultRelInfo == NULL)
		ExecPartitionCheck(target, slot, estate, true);
}

void
kluster_before_change(KlusterModify *modify)
{
	if (!modify->scans_started)
		modify->defers = kluster_start_scans(modify->estate) && !modify->has_triggers && modify->conflicts == NULL;
	modify->scans_started = true;
}

static void
start_change(KlusterModify *modify, const char *verb)
{
	resetStringInfo(&modify->statement);
	appendStringInfoString(&modify->statement, verb);
	kluster_append_table(&modify->statement, modify->table);
}

static void
append_assignments(KlusterModify *modify, TupleTableSlot *slot)
{
	StringInfo	out = &modify->statement;

	for (int i = 0; i < modify->count; i++)
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, modify->attributes[i], &is_null);

		appendStringInfoString(out, i == 0 ? " SET " : ", ");
		kluster_append_identifier(out, modify->names[i]);
		appendStringInfoString(out, " = ");
		if (is_null)
			appendStringInfoString(out, "NULL");
		else
			kluster_append_value(out, modify->codecs[i], value);
	}
}

/* Appends the condition for the row. False when this statement has changed the row before: once is enough. */
static bool
append_condition(KlusterModify *modify, TupleTableSlot *plan_slot)
{
	int			start;

	appendStringInfoString(&modify->statement, " WHERE ");
	start = modify->statement.len;
	kluster_append_identity(&modify->statement, modify->identity, plan_slot);
	if (modify->changed == NULL || modify->identity->whole)
		return true;
	return kluster_note(modify->changed, modify->statement.data + start, modify->statement.len - start);
}

static uint64
send_change(KlusterModify *modify)
{
	KlusterChange change = {
		.shard = modify->table->shard,
		.relation = RelationGetRelid(modify->relation),
		.sql = modify->statement.data,
	};
	uint64		affected = 1;

	kluster_before_change(modify);
	if (modify->defers)
		kluster_defer(modify->estate, &change, true);
	else
		affected = kluster_change(&change);
	kluster_require_one_row(change.relation, affected);
	return affected;
}

/* Deletes the row that the subplan delivered; false: it is gone, or this statement has changed it before. */
static bool
delete_row(KlusterModify *modify, TupleTableSlot *plan_slot)
{
	MemoryContext caller = MemoryContextSwitchTo(modify->scratch);
	bool		is_new;

	start_change(modify, "DELETE FROM ");
	is_new = append_condition(modify, plan_slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->scratch);
	return is_new && send_change(modify) > 0;
}

/* The row belongs to another partition now. */
static TupleTableSlot *
move_row(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	kluster_require_movable(target);
	if (!delete_row(modify, plan_slot))
		return NULL;
	kluster_store_moved(modify, target, slot);
	return slot;
}

TupleTableSlot *
kluster_update(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	KlusterModify	   *modify = target->ri_FdwState;
	MemoryContext caller = MemoryContextSwitchTo(modify->scratch);
	bool		is_new;

	if (modify->relation->rd_rel->relispartition && !ExecPartitionCheck(target, slot, estate, false) &&
		target->ri_RootResultRelInfo != NULL)
	{
		MemoryContextSwitchTo(caller);
		return move_row(modify, target, slot, plan_slot);
	}
	kluster_check_row(modify, target, slot, estate);
	start_change(modify, "UPDATE ");
	append_assignments(modify, slot);
	is_new = append_condition(modify, plan_slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->scratch);
	/* Without columns there is nothing to send, but the row counts. */
	if (modify->count == 0)
		return slot;
	return is_new && send_change(modify) > 0 ? slot : NULL;
}

/* With RETURNING the row comes from the subplan, which has read it whole. */
static void
store_deleted_row(KlusterModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	bool		is_null;
	Datum		row;

	if (!AttributeNumberIsValid(modify->identity->whole_row))
		return;
	row = ExecGetJunkAttribute(plan_slot, modify->identity->whole_row, &is_null);
	if (!is_null)
		ExecStoreHeapTupleDatum(row, slot);
}

TupleTableSlot *
kluster_delete(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	KlusterModify	   *modify = target->ri_FdwState;

	if (!delete_row(modify, plan_slot))
		return NULL;
	store_deleted_row(modify, slot, plan_slot);
	return slot;
}

void
kluster_end_modify(EState *estate, ResultRelInfo *target)
{
	/* Nothing is left but for COPY. */
	if (target->ri_FdwState != NULL)
		kluster_finish_changes(estate);
}

void
kluster_explain_modify(ModifyTableState *state, ResultRelInfo *target, List *private, int subplan, ExplainState *explain)
{
	KlusterTable *table = kluster_table(RelationGetRelid(target->ri_RelationDesc));

	ExplainPropertyText("Shard", table->shard == KLUSTER_ALL_SHARDS ? "all" : psprintf("%u", table->shard), explain);
	if (state->operation == CMD_INSERT)
		ExplainPropertyInteger("Batch Size", NULL, kluster_batch_rows(target), explain);
}
