/*
 * insert.c: INSERT in batches, and COPY.
 */
#include "postgres.h"

#include "catalog/index.h"
#include "catalog/partition.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "deferral.h"
#include "deparse.h"
#include "modify.h"
#include "modify_state.h"
#include "quote.h"
#include "sequence.h"
#include "settings.h"
#include "upsert.h"

/* A statement that grew beyond this is sent. */
#define STATEMENT_BYTES (1024 * 1024)

/* The keys that the statement names by ON CONFLICT (...); a partition has its own for each of its parent's. */
static List *
arbiters_of(ModifyTable *plan, ResultRelInfo *target)
{
	List	   *arbiters = NIL;
	ListCell   *cell;

	foreach(cell, plan->arbiterIndexes)
	{
		Oid			index = lfirst_oid(cell);

		if (IndexGetRelation(index, false) != RelationGetRelid(target->ri_RelationDesc))
			index = index_get_partition(target->ri_RelationDesc, index);
		if (OidIsValid(index))
			arbiters = lappend_oid(arbiters, index);
	}
	return arbiters;
}

static KlusterConflicts *
conflicts_with(List *arbiters, ResultRelInfo *target)
{
	KlusterConflicts *conflicts = palloc0(sizeof(KlusterConflicts));
	ListCell   *cell;

	foreach(cell, arbiters)
		conflicts->keys = lappend(conflicts->keys,
								  lfirst_oid(cell) == RelationGetPrimaryKeyIndex(target->ri_RelationDesc) ?
								  pstrdup("PRIMARY") : get_rel_name(lfirst_oid(cell)));
	return conflicts;
}

static void
prepare_conflicts(KlusterModify *modify, ModifyTable *plan, ResultRelInfo *target)
{
	List	   *arbiters;

	if (plan == NULL || plan->onConflictAction == ONCONFLICT_NONE)
		return;
	arbiters = arbiters_of(plan, target);
	modify->conflicts = conflicts_with(arbiters, target);
	if (plan->onConflictAction != ONCONFLICT_UPDATE)
		return;
	if (arbiters == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has no key that ON CONFLICT DO UPDATE could go by",
						RelationGetRelationName(target->ri_RelationDesc))));
	modify->upsert = kluster_begin_upsert(modify, target, linitial_oid(arbiters));
}

static void
start_text(KlusterModify *modify, StringInfo out, const char *verb)
{
	initStringInfo(out);
	appendStringInfoString(out, verb);
	kluster_append_table(out, modify->table);
	appendStringInfoString(out, modify->count == 0 ? " ()" : " (");
	for (int i = 0; i < modify->count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		kluster_append_identifier(out, modify->names[i]);
	}
	appendStringInfoString(out, modify->count == 0 ? " VALUES " : ") VALUES ");
}

void
kluster_prepare_insert(KlusterModify *modify, ModifyTable *plan, ResultRelInfo *target)
{
	prepare_conflicts(modify, plan, target);
	/* Triggers may look at the table, so it must contain what was inserted before; conflicts are counted. */
	modify->collects = !modify->has_triggers && modify->conflicts == NULL && (plan == NULL || plan->operation == CMD_INSERT);
	modify->first = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(modify->relation)), &TTSOpsVirtual);
	kluster_keep_inserter(modify);
	start_text(modify, &modify->insert, modify->conflicts != NULL ? "INSERT IGNORE INTO " : "INSERT INTO ");
	if (modify->upsert != NULL)
		start_text(modify, &modify->claim, "INSERT INTO ");
}

/* For rows that arrive through a partitioned table, or by COPY. */
void
kluster_begin_insert(ModifyTableState *state, ResultRelInfo *target)
{
	ModifyTable *plan = (ModifyTable *) state->ps.plan;
	MemoryContext caller = MemoryContextSwitchTo(state->ps.state->es_query_cxt);
	KlusterModify	   *modify;

	modify = kluster_new_modify(state->ps.state, target, kluster_all_columns(target->ri_RelationDesc));
	kluster_prepare_insert(modify, plan, target);
	if (plan == NULL)
		modify->identities = kluster_copied_identities(RelationGetRelid(modify->relation));
	if (target->ri_FdwState == NULL)
		target->ri_FdwState = modify;
	else
		((KlusterModify *) target->ri_FdwState)->inserter = modify;
	MemoryContextSwitchTo(caller);
}

KlusterModify *
kluster_inserter(ResultRelInfo *target)
{
	KlusterModify *modify = target->ri_FdwState;

	return modify->inserter != NULL ? modify->inserter : modify;
}

int
kluster_batch_rows(ResultRelInfo *target)
{
	TriggerDesc *triggers = target->ri_TrigDesc;
	KlusterModify *modify = target->ri_FdwState;

	if ((modify != NULL && modify->upsert != NULL) || target->ri_onConflict != NULL || target->ri_projectReturning != NULL || target->ri_WithCheckOptions != NIL ||
		(triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return 1;
	return kluster_batch_size;
}

int
kluster_copied_rows(ResultRelInfo *target)
{
	if (target->ri_FdwState != NULL && kluster_inserter(target)->collects)
		return 1;
	return kluster_batch_rows(target);
}

static void
append_row(KlusterModify *modify, StringInfo start, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(modify->scratch);
	StringInfo	out = &modify->statement;

	slot_getallattrs(slot);
	if (modify->rows == 0)
	{
		kluster_begin_waiting(modify);
		ExecCopySlot(modify->first, slot);
		appendBinaryStringInfo(out, start->data, start->len);
	}
	else
		appendStringInfoChar(out, ',');
	appendStringInfoChar(out, '(');
	for (int i = 0; i < modify->count; i++)
	{
		int			column = modify->attributes[i] - 1;

		if (i > 0)
			appendStringInfoChar(out, ',');
		if (slot->tts_isnull[column])
			appendStringInfoString(out, "NULL");
		else
			kluster_append_value(out, modify->codecs[i], slot->tts_values[column]);
	}
	appendStringInfoChar(out, ')');
	modify->rows++;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->scratch);
}

uint64
kluster_send_rows(KlusterModify *modify)
{
	uint64		stored = modify->rows;
	KlusterChange change = {
		.shard = modify->table->shard,
		.relation = RelationGetRelid(modify->relation),
		.sql = modify->statement.data,
		.row = modify->rows == 1 ? modify->first : NULL,
		.conflicts = modify->conflicts,
	};

	if (modify->rows > 0)
		kluster_before_change(modify);
	if (modify->rows > 0 && modify->defers)
		kluster_defer(modify->estate, &change, false);
	else if (modify->rows > 0 && modify->conflicts != NULL)
		stored = kluster_change(&change);
	else if (modify->rows > 0)
	{
		kluster_change_later(&change);
		modify->unanswered = true;
	}
	resetStringInfo(&modify->statement);
	modify->rows = 0;
	return stored;
}

uint64
kluster_insert_row(KlusterModify *modify, TupleTableSlot *row)
{
	uint64		stored;

	append_row(modify, &modify->insert, row);
	stored = kluster_send_rows(modify);
	kluster_await_change(modify->table->shard);
	return stored;
}

uint64
kluster_claim_row(KlusterModify *modify, TupleTableSlot *row)
{
	KlusterChange change = {
		.shard = modify->table->shard,
		.relation = RelationGetRelid(modify->relation),
		.locks_duplicate = true,
	};
	uint64		stored;

	append_row(modify, &modify->claim, row);
	kluster_append_duplicate_lock(&modify->statement, modify->names[0]);
	change.sql = modify->statement.data;
	change.row = modify->first;
	stored = kluster_change(&change);
	resetStringInfo(&modify->statement);
	modify->rows = 0;
	return stored;
}

static bool
is_full(KlusterModify *modify)
{
	return modify->rows >= kluster_batch_size || modify->statement.len >= STATEMENT_BYTES;
}

TupleTableSlot *
kluster_insert(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	KlusterModify	   *modify = kluster_inserter(target);

	if (modify->identities != NULL)
		kluster_set_identities(modify->relation, modify->identities, slot);
	kluster_check_row(modify, target, slot, estate);
	if (modify->upsert != NULL)
		return kluster_upsert(modify, target, slot);
	if (!modify->collects)
		return kluster_insert_row(modify, slot) > 0 ? slot : NULL;
	append_row(modify, &modify->insert, slot);
	if (is_full(modify))
		kluster_send_waiting(estate, modify);
	return slot;
}

TupleTableSlot **
kluster_insert_batch(EState *estate, ResultRelInfo *target, TupleTableSlot **slots, TupleTableSlot **plan_slots,
					 int *count)
{
	KlusterModify	   *modify = target->ri_FdwState;
	uint64		stored = 0;

	for (int i = 0; i < *count; i++)
	{
		kluster_check_row(modify, target, slots[i], estate);
		append_row(modify, &modify->insert, slots[i]);
		if (is_full(modify))
			stored += kluster_send_rows(modify);
	}
	stored += kluster_send_rows(modify);
	*count = (int) stored;
	return stored > 0 ? slots : NULL;
}
