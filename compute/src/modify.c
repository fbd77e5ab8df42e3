/*
 * modify.c: INSERT in batches, UPDATE and DELETE row by row.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/inherit.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/plancat.h"
#include "parser/parsetree.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "deparse.h"
#include "modify.h"
#include "quote.h"
#include "row_identity.h"
#include "scan.h"
#include "settings.h"
#include "targets.h"

/* A statement that grew beyond this is sent. */
#define STATEMENT_BYTES (1024 * 1024)

/* Identifies a row that was updated already. */
typedef struct RowDigest
{
	uint64		high;
	uint64		low;
} RowDigest;

typedef struct Modify
{
	KlusterTable *table;
	Relation	relation;
	int			count;			/* columns that are written */
	AttrNumber *attributes;
	char	  **names;
	KlusterCodec **codecs;
	KlusterConflicts *conflicts;	/* ON CONFLICT DO NOTHING; NULL: without */
	bool		collects;		/* COPY: rows wait in `statement` */
	int			rows;			/* that wait */
	StringInfoData insert;		/* INSERT INTO ... VALUES */
	StringInfoData statement;
	KlusterIdentity *identity;
	EState	   *estate;
	bool		scans_started;
	HTAB	   *updated;		/* rows updated by this statement, when a join can deliver them again */
	MemoryContext scratch;
} Modify;

static List *
all_columns(Relation relation)
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
		return all_columns(relation);
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
		columns = all_columns(relation);
	else if (plan->operation == CMD_UPDATE)
		columns = updated_columns(root, find_base_rel(root, table), relation);
	table_close(relation, NoLock);
	if (plan->onConflictAction == ONCONFLICT_UPDATE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("INSERT with ON CONFLICT DO UPDATE is not supported for tables on shards")));
	return list_make1(columns);
}

static void
take_columns(Modify *modify, List *columns)
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

static void
start_insert_text(Modify *modify)
{
	initStringInfo(&modify->insert);
	appendStringInfoString(&modify->insert, modify->conflicts != NULL ? "INSERT IGNORE INTO " : "INSERT INTO ");
	kluster_append_table(&modify->insert, modify->table);
	appendStringInfoString(&modify->insert, modify->count == 0 ? " ()" : " (");
	for (int i = 0; i < modify->count; i++)
	{
		if (i > 0)
			appendStringInfoChar(&modify->insert, ',');
		kluster_append_identifier(&modify->insert, modify->names[i]);
	}
	appendStringInfoString(&modify->insert, modify->count == 0 ? " VALUES " : ") VALUES ");
}

static Modify *
new_modify(EState *estate, ResultRelInfo *target, List *columns)
{
	Modify	   *modify = palloc0(sizeof(Modify));

	modify->estate = estate;
	modify->relation = target->ri_RelationDesc;
	modify->table = kluster_table(RelationGetRelid(modify->relation));
	modify->scratch = AllocSetContextCreate(CurrentMemoryContext, "kluster modify", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&modify->statement);
	take_columns(modify, columns);
	return modify;
}

/* The keys that the statement names by ON CONFLICT (...); a partition has its own for each of its parent's. */
static KlusterConflicts *
conflicts_of(ModifyTable *plan, ResultRelInfo *target)
{
	KlusterConflicts *conflicts;
	ListCell   *cell;

	if (plan == NULL || plan->onConflictAction != ONCONFLICT_NOTHING)
		return NULL;
	conflicts = palloc0(sizeof(KlusterConflicts));
	foreach(cell, plan->arbiterIndexes)
	{
		Oid			index = lfirst_oid(cell);

		if (IndexGetRelation(index, false) != RelationGetRelid(target->ri_RelationDesc))
			index = index_get_partition(target->ri_RelationDesc, index);
		if (index == RelationGetPrimaryKeyIndex(target->ri_RelationDesc))
			conflicts->keys = lappend(conflicts->keys, pstrdup("PRIMARY"));
		else if (OidIsValid(index))
			conflicts->keys = lappend(conflicts->keys, get_rel_name(index));
	}
	return conflicts;
}

static HTAB *
make_digests(void)
{
	HASHCTL		control = {.keysize = sizeof(RowDigest), .entrysize = sizeof(RowDigest), .hcxt = CurrentMemoryContext};

	return hash_create("kluster updated rows", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
kluster_begin_modify(ModifyTableState *state, ResultRelInfo *target, List *private, int subplan, int flags)
{
	Plan	   *below = outerPlanState(state)->plan;
	Modify	   *modify;

	if (flags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	modify = new_modify(state->ps.state, target, linitial(private));
	modify->conflicts = conflicts_of((ModifyTable *) state->ps.plan, target);
	target->ri_FdwState = modify;
	if (state->operation == CMD_INSERT)
		start_insert_text(modify);
	else
		modify->identity = kluster_identity(modify->relation, modify->table, below->targetlist);
	if (state->operation == CMD_UPDATE && !IsA(below, ForeignScan))
		modify->updated = make_digests();
}

/* For rows that arrive through a partitioned table, or by COPY. */
void
kluster_begin_insert(ModifyTableState *state, ResultRelInfo *target)
{
	ModifyTable *plan = (ModifyTable *) state->ps.plan;
	MemoryContext caller = MemoryContextSwitchTo(state->ps.state->es_query_cxt);
	ResultRelInfo *root = target->ri_RootResultRelInfo;
	Modify	   *modify;

	modify = new_modify(state->ps.state, target, all_columns(target->ri_RelationDesc));
	modify->conflicts = conflicts_of(plan, target);
	/* Triggers may look at the table, so it must contain what was inserted before. */
	modify->collects = plan == NULL && target->ri_TrigDesc == NULL && (root == NULL || root->ri_TrigDesc == NULL);
	start_insert_text(modify);
	target->ri_FdwState = modify;
	MemoryContextSwitchTo(caller);
}

int
kluster_batch_rows(ResultRelInfo *target)
{
	TriggerDesc *triggers = target->ri_TrigDesc;

	if (target->ri_projectReturning != NULL || target->ri_WithCheckOptions != NIL ||
		(triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return 1;
	return kluster_batch_size;
}

/* What PostgreSQL checks by itself for its own tables only. */
static void
check_row(Modify *modify, ResultRelInfo *target, TupleTableSlot *slot, EState *estate)
{
	if (modify->relation->rd_att->constr != NULL)
		ExecConstraints(target, slot, estate);
	if (modify->relation->rd_rel->relispartition && target->ri_RootResultRelInfo == NULL)
		ExecPartitionCheck(target, slot, estate, true);
}

static void
append_row(Modify *modify, TupleTableSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(modify->scratch);
	StringInfo	out = &modify->statement;

	slot_getallattrs(slot);
	if (modify->rows == 0)
		appendBinaryStringInfo(out, modify->insert.data, modify->insert.len);
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

/* What this statement reads it reads as it was before. */
static void
before_change(Modify *modify)
{
	if (!modify->scans_started)
		kluster_start_scans(modify->estate);
	modify->scans_started = true;
}

/* Sends the rows that wait; how many of them were stored. */
static uint64
send_rows(Modify *modify)
{
	uint64		stored = 0;

	if (modify->rows > 0)
		before_change(modify);
	if (modify->rows > 0)
		stored = kluster_change(modify->table->shard, modify->statement.data, modify->conflicts);
	resetStringInfo(&modify->statement);
	modify->rows = 0;
	return stored;
}

static bool
is_full(Modify *modify)
{
	return modify->rows >= kluster_batch_size || modify->statement.len >= STATEMENT_BYTES;
}

TupleTableSlot *
kluster_insert(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Modify	   *modify = target->ri_FdwState;

	check_row(modify, target, slot, estate);
	append_row(modify, slot);
	if (modify->collects && !is_full(modify))
		return slot;
	return send_rows(modify) > 0 ? slot : NULL;
}

TupleTableSlot **
kluster_insert_batch(EState *estate, ResultRelInfo *target, TupleTableSlot **slots, TupleTableSlot **plan_slots,
					 int *count)
{
	Modify	   *modify = target->ri_FdwState;
	uint64		stored = 0;

	for (int i = 0; i < *count; i++)
	{
		check_row(modify, target, slots[i], estate);
		append_row(modify, slots[i]);
		if (is_full(modify))
			stored += send_rows(modify);
	}
	stored += send_rows(modify);
	*count = (int) stored;
	return stored > 0 ? slots : NULL;
}

static void
start_change(Modify *modify, const char *verb)
{
	resetStringInfo(&modify->statement);
	appendStringInfoString(&modify->statement, verb);
	kluster_append_table(&modify->statement, modify->table);
}

static void
append_assignments(Modify *modify, TupleTableSlot *slot)
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

/* Appends the condition for the row. False when this statement has updated the row before: once is enough. */
static bool
append_condition(Modify *modify, TupleTableSlot *plan_slot)
{
	int			start;
	RowDigest	digest;
	bool		found = false;

	appendStringInfoString(&modify->statement, " WHERE ");
	start = modify->statement.len;
	kluster_append_identity(&modify->statement, modify->identity, plan_slot);
	if (modify->updated == NULL || modify->identity->whole)
		return true;
	digest.high = DatumGetUInt64(hash_any_extended((unsigned char *) modify->statement.data + start,
												   modify->statement.len - start, 1));
	digest.low = DatumGetUInt64(hash_any_extended((unsigned char *) modify->statement.data + start,
												  modify->statement.len - start, 2));
	hash_search(modify->updated, &digest, HASH_ENTER, &found);
	return !found;
}

static uint64
send_change(Modify *modify)
{
	uint64		affected;

	before_change(modify);
	affected = kluster_change(modify->table->shard, modify->statement.data, NULL);
	if (affected > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the key of table \"%s\" identifies " UINT64_FORMAT " rows",
						RelationGetRelationName(modify->relation), affected)));
	return affected;
}

TupleTableSlot *
kluster_update(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Modify	   *modify = target->ri_FdwState;
	MemoryContext caller = MemoryContextSwitchTo(modify->scratch);
	bool		is_new;

	check_row(modify, target, slot, estate);
	if (modify->relation->rd_rel->relispartition && !ExecPartitionCheck(target, slot, estate, false))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("UPDATE cannot move a row of \"%s\" into another partition",
						RelationGetRelationName(modify->relation)),
				 errhint("Delete the row and insert it again.")));
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
store_deleted_row(Modify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
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
	Modify	   *modify = target->ri_FdwState;
	MemoryContext caller = MemoryContextSwitchTo(modify->scratch);

	start_change(modify, "DELETE FROM ");
	append_condition(modify, plan_slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->scratch);
	if (send_change(modify) == 0)
		return NULL;
	store_deleted_row(modify, slot, plan_slot);
	return slot;
}

void
kluster_end_modify(EState *estate, ResultRelInfo *target)
{
	Modify	   *modify = target->ri_FdwState;

	if (modify != NULL && modify->collects)
		send_rows(modify);
}

void
kluster_explain_modify(ModifyTableState *state, ResultRelInfo *target, List *private, int subplan, ExplainState *explain)
{
	KlusterTable *table = kluster_table(RelationGetRelid(target->ri_RelationDesc));

	ExplainPropertyText("Shard", table->shard == KLUSTER_ALL_SHARDS ? "all" : psprintf("%u", table->shard), explain);
	if (state->operation == CMD_INSERT)
		ExplainPropertyInteger("Batch Size", NULL, kluster_batch_rows(target), explain);
}

/* MySQL's TRUNCATE could not be rolled back. */
void
kluster_truncate(List *relations, DropBehavior behavior, bool restart_sequences)
{
	ListCell   *cell;

	foreach(cell, relations)
	{
		KlusterTable *table = kluster_table(RelationGetRelid((Relation) lfirst(cell)));
		StringInfoData sql;

		initStringInfo(&sql);
		appendStringInfoString(&sql, "DELETE FROM ");
		kluster_append_table(&sql, table);
		kluster_change(table->shard, sql.data, NULL);
		pfree(sql.data);
	}
}
