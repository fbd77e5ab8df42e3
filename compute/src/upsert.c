/*
 * upsert.c: INSERT ... ON CONFLICT DO UPDATE.
 *
 * For each row: look for the one with the same values of the arbiter's columns, and lock it. When there is one,
 * PostgreSQL computes WHERE and SET from it and from the proposed row, and it is updated by the same key; otherwise the row
 * is inserted, and should somebody have been faster, all begins again. MySQL's ON DUPLICATE KEY UPDATE is no
 * alternative: it takes any unique key for the arbiter, and computes by itself.
 *
 * The look comes first, though most rows of some statements are new: it finds the row by the arbiter, while an INSERT
 * fails by whichever key comes first. The INSERT after it locks the row of somebody who was faster, so that
 * the next look finds it; when it does not, the row has another key in common, which is an error.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "connection.h"
#include "deparse.h"
#include "quote.h"
#include "row_digest.h"
#include "upsert.h"

/* Somebody else inserts the row whenever it is not there, and deletes it whenever it is. */
#define MOST_ATTEMPTS 20

typedef struct KlusterUpsert
{
	int			count;			/* columns of the arbiter */
	AttrNumber *attributes;
	StringInfoData key;			/* WHERE ... of the row at hand */
	HTAB	   *touched;		/* keys that this statement has stored */
} KlusterUpsert;

/* Whoever has such triggers expects the events of PostgreSQL, which come from its own way of storing. */
static void
refuse_triggers(ResultRelInfo *target)
{
	TriggerDesc *triggers = target->ri_TrigDesc;

	if (triggers != NULL && (triggers->trig_insert_after_row || triggers->trig_update_before_row || triggers->trig_update_after_row))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("INSERT with ON CONFLICT DO UPDATE is not supported for table \"%s\", because it has row triggers",
						RelationGetRelationName(target->ri_RelationDesc)),
				 errdetail("AFTER INSERT, BEFORE UPDATE and AFTER UPDATE triggers FOR EACH ROW are in the way.")));
}

KlusterUpsert *
kluster_begin_upsert(KlusterModify *modify, ResultRelInfo *target, Oid arbiter)
{
	KlusterUpsert *upsert = palloc0(sizeof(KlusterUpsert));
	Relation	index = index_open(arbiter, AccessShareLock);

	refuse_triggers(target);
	upsert->count = index->rd_index->indnkeyatts;
	upsert->attributes = palloc(sizeof(AttrNumber) * upsert->count);
	for (int i = 0; i < upsert->count; i++)
		upsert->attributes[i] = index->rd_index->indkey.values[i];
	index_close(index, AccessShareLock);
	initStringInfo(&upsert->key);
	upsert->touched = kluster_make_digests();
	return upsert;
}

static int
written_column(KlusterModify *modify, AttrNumber attribute)
{
	for (int i = 0; i < modify->count; i++)
		if (modify->attributes[i] == attribute)
			return i;
	elog(ERROR, "column %d of a key is not among those that are inserted", attribute);
}

/* Makes the condition for rows with the same key. False: a NULL is in it, so that there are none. */
static bool
make_key(KlusterModify *modify, KlusterUpsert *upsert, TupleTableSlot *row)
{
	resetStringInfo(&upsert->key);
	for (int i = 0; i < upsert->count; i++)
	{
		int			column = written_column(modify, upsert->attributes[i]);
		bool		is_null;
		Datum		value = slot_getattr(row, upsert->attributes[i], &is_null);

		if (is_null)
			return false;
		appendStringInfoString(&upsert->key, i == 0 ? " WHERE " : " AND ");
		kluster_append_identifier(&upsert->key, modify->names[column]);
		appendStringInfoString(&upsert->key, " = ");
		kluster_append_value(&upsert->key, modify->codecs[column], value);
	}
	return true;
}

static void
store_existing(KlusterModify *modify, TupleTableSlot *existing, char **fields, unsigned long *lengths)
{
	TupleDesc	description = RelationGetDescr(modify->relation);
	Datum	   *values = palloc0(sizeof(Datum) * description->natts);
	bool	   *nulls = palloc(sizeof(bool) * description->natts);

	memset(nulls, true, sizeof(bool) * description->natts);
	for (int i = 0; i < modify->count; i++)
	{
		int			column = modify->attributes[i] - 1;

		nulls[column] = fields[i] == NULL;
		if (fields[i] != NULL)
			values[column] = kluster_read_value(modify->codecs[i], fields[i], lengths[i]);
	}
	ExecForceStoreHeapTuple(heap_form_tuple(description, values, nulls), existing, false);
	existing->tts_tableOid = RelationGetRelid(modify->relation);
}

/* Locks the row with the key, and reads it. */
static bool
find_existing(KlusterModify *modify, KlusterUpsert *upsert, TupleTableSlot *existing)
{
	StringInfoData sql;
	KlusterResult *result;
	char	  **fields;
	unsigned long *lengths;
	bool		found;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < modify->count; i++)
	{
		if (i > 0)
			appendStringInfoChar(&sql, ',');
		kluster_append_identifier(&sql, modify->names[i]);
	}
	appendStringInfoString(&sql, " FROM ");
	kluster_append_table(&sql, modify->table);
	appendBinaryStringInfo(&sql, upsert->key.data, upsert->key.len);
	appendStringInfoString(&sql, " FOR UPDATE");
	result = kluster_query(kluster_connection(kluster_reading_shard(modify->table->shard), KLUSTER_WRITE), sql.data);
	found = kluster_fetch(result, &fields, &lengths);
	if (found)
		store_existing(modify, existing, fields, lengths);
	while (found && kluster_fetch(result, &fields, &lengths))
		;
	kluster_close(result);
	return found;
}

static bool
is_changed(Form_pg_attribute column, TupleTableSlot *before, TupleTableSlot *after)
{
	bool		was_null;
	bool		is_null;
	Datum		old = slot_getattr(before, column->attnum, &was_null);
	Datum		new = slot_getattr(after, column->attnum, &is_null);

	if (was_null || is_null)
		return was_null != is_null;
	return !datum_image_eq(old, new, column->attbyval, column->attlen);
}

/* UPDATE with what differs from the row before; NULL: nothing does. */
static char *
update_text(KlusterModify *modify, KlusterUpsert *upsert, TupleTableSlot *before, TupleTableSlot *after)
{
	StringInfoData sql;
	bool		changes = false;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "UPDATE ");
	kluster_append_table(&sql, modify->table);
	for (int i = 0; i < modify->count; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(modify->relation), modify->attributes[i] - 1);
		bool		is_null;
		Datum		value = slot_getattr(after, column->attnum, &is_null);

		if (!is_changed(column, before, after))
			continue;
		appendStringInfoString(&sql, changes ? ", " : " SET ");
		changes = true;
		kluster_append_identifier(&sql, modify->names[i]);
		appendStringInfoString(&sql, " = ");
		if (is_null)
			appendStringInfoString(&sql, "NULL");
		else
			kluster_append_value(&sql, modify->codecs[i], value);
	}
	appendBinaryStringInfo(&sql, upsert->key.data, upsert->key.len);
	return changes ? sql.data : NULL;
}

static void
check_new_row(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *row)
{
	if (modify->relation->rd_att->constr != NULL && modify->relation->rd_att->constr->has_generated_stored)
		ExecComputeStoredGenerated(target, modify->estate, row, CMD_UPDATE);
	if (modify->relation->rd_rel->relispartition && !ExecPartitionCheck(target, row, modify->estate, false))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("invalid ON UPDATE specification"),
				 errdetail("The result tuple would appear in a different partition than the original tuple.")));
	kluster_check_row(modify, target, row, modify->estate);
}

static TupleTableSlot *
update_existing(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *proposed)
{
	OnConflictSetState *set = target->ri_onConflict;
	ExprContext *context = set->oc_ProjInfo->pi_exprContext;
	KlusterChange change = {.shard = modify->table->shard, .relation = RelationGetRelid(modify->relation)};
	TupleTableSlot *after;

	context->ecxt_scantuple = set->oc_Existing;
	context->ecxt_innertuple = proposed;
	context->ecxt_outertuple = NULL;
	if (!ExecQual(set->oc_WhereClause, context))
		return NULL;
	if (!kluster_note(modify->upsert->touched, modify->upsert->key.data, modify->upsert->key.len))
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("ON CONFLICT DO UPDATE command cannot affect row a second time"),
				 errhint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")));
	after = ExecProject(set->oc_ProjInfo);
	check_new_row(modify, target, after);
	change.row = after;
	change.sql = update_text(modify, modify->upsert, set->oc_Existing, after);
	if (change.sql != NULL)
		(void) kluster_change(&change);
	return after;
}

static TupleTableSlot *
stored_as_new(KlusterModify *modify, bool has_key, TupleTableSlot *proposed)
{
	if (has_key)
		(void) kluster_note(modify->upsert->touched, modify->upsert->key.data, modify->upsert->key.len);
	return proposed;
}

static TupleTableSlot *
upsert_row(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *proposed)
{
	KlusterUpsert *upsert = modify->upsert;
	bool		has_key = make_key(modify, upsert, proposed);

	kluster_before_change(modify);
	for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++)
	{
		if (has_key && find_existing(modify, upsert, target->ri_onConflict->oc_Existing))
			return update_existing(modify, target, proposed);
		/* A claim locks what is in the way, for the next look to find; what that does not find is told by a plain INSERT. */
		if (attempt % 2 == 0 ? kluster_claim_row(modify, proposed) > 0 : kluster_insert_row(modify, proposed) > 0)
			return stored_as_new(modify, has_key, proposed);
	}
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("a row of table \"%s\" was inserted and deleted by others again and again",
					RelationGetRelationName(modify->relation))));
}

TupleTableSlot *
kluster_upsert(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *proposed)
{
	MemoryContext caller = MemoryContextSwitchTo(GetPerTupleMemoryContext(modify->estate));
	TupleTableSlot *stored = upsert_row(modify, target, proposed);

	MemoryContextSwitchTo(caller);
	return stored;
}
