/*
 * deferral.c: changes of a statement that wait for its end.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "deferral.h"

/* What is kept of a change. */
typedef enum Field
{
	FIELD_SHARD,
	FIELD_RELATION,
	FIELD_ONE_ROW,
	FIELD_SQL,
	FIELDS
} Field;

/* The changes of one statement; in its memory, among those of all statements that are running. */
typedef struct Deferral
{
	dlist_node	link;
	EState	   *estate;
	Tuplestorestate *changes;
	TupleTableSlot *slot;
	MemoryContextCallback forget;
} Deferral;

static dlist_head deferrals = DLIST_STATIC_INIT(deferrals);

static void
forget(void *argument)
{
	dlist_delete(&((Deferral *) argument)->link);
}

static Deferral *
find(EState *estate)
{
	dlist_iter	at;

	dlist_foreach(at, &deferrals)
	{
		Deferral   *deferral = dlist_container(Deferral, link, at.cur);

		if (deferral->estate == estate)
			return deferral;
	}
	return NULL;
}

static Deferral *
begin(EState *estate)
{
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	Deferral   *deferral = palloc0(sizeof(Deferral));
	TupleDesc	fields = CreateTemplateTupleDesc(FIELDS);

	TupleDescInitEntry(fields, FIELD_SHARD + 1, "shard", INT8OID, -1, 0);
	TupleDescInitEntry(fields, FIELD_RELATION + 1, "relation", OIDOID, -1, 0);
	TupleDescInitEntry(fields, FIELD_ONE_ROW + 1, "one_row", BOOLOID, -1, 0);
	TupleDescInitEntry(fields, FIELD_SQL + 1, "sql", TEXTOID, -1, 0);
	deferral->estate = estate;
	deferral->slot = MakeSingleTupleTableSlot(fields, &TTSOpsMinimalTuple);
	deferral->changes = tuplestore_begin_heap(false, false, work_mem);
	dlist_push_tail(&deferrals, &deferral->link);
	deferral->forget.func = forget;
	deferral->forget.arg = deferral;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &deferral->forget);
	MemoryContextSwitchTo(caller);
	return deferral;
}

void
kluster_defer(EState *estate, const KlusterChange *change, bool one_row)
{
	Deferral   *deferral = find(estate);
	text	   *sql = cstring_to_text(change->sql);
	Datum		values[FIELDS];
	bool		nulls[FIELDS] = {false};

	if (deferral == NULL)
		deferral = begin(estate);
	values[FIELD_SHARD] = Int64GetDatum((int64) change->shard);
	values[FIELD_RELATION] = ObjectIdGetDatum(change->relation);
	values[FIELD_ONE_ROW] = BoolGetDatum(one_row);
	values[FIELD_SQL] = PointerGetDatum(sql);
	tuplestore_putvalues(deferral->changes, deferral->slot->tts_tupleDescriptor, values, nulls);
	pfree(sql);
}

void
kluster_require_one_row(Oid relation, uint64 affected)
{
	if (affected > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the key of table \"%s\" identifies " UINT64_FORMAT " rows", get_rel_name(relation), affected)));
}

static void
send_kept(TupleTableSlot *slot)
{
	char	   *sql;
	KlusterChange change;
	uint64		affected;

	slot_getallattrs(slot);
	sql = TextDatumGetCString(slot->tts_values[FIELD_SQL]);
	change = (KlusterChange) {
		.shard = (uint32) DatumGetInt64(slot->tts_values[FIELD_SHARD]),
			.relation = DatumGetObjectId(slot->tts_values[FIELD_RELATION]),
			.sql = sql,
	};
	affected = kluster_change(&change);
	if (DatumGetBool(slot->tts_values[FIELD_ONE_ROW]))
		kluster_require_one_row(change.relation, affected);
	pfree(sql);
}

void
kluster_send_deferred(EState *estate)
{
	Deferral   *deferral = find(estate);

	if (deferral == NULL || deferral->changes == NULL)
		return;
	while (tuplestore_gettupleslot(deferral->changes, true, false, deferral->slot))
	{
		CHECK_FOR_INTERRUPTS();
		send_kept(deferral->slot);
	}
	tuplestore_end(deferral->changes);
	deferral->changes = NULL;
}
