/*
 * scan.c: executes scans: sends the statement, turns rows into tuples.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "relation.h"
#include "scan.h"
#include "targets.h"

static dlist_head open_scans = DLIST_STATIC_INIT(open_scans);

static void
forget_scan(void *argument)
{
	dlist_delete(&((KlusterScan *) argument)->link);
}

/* Until its memory goes away, which happens also when the statement fails. */
static void
note_scan(KlusterScan *scan, ForeignScanState *node)
{
	scan->node = node;
	dlist_push_tail(&open_scans, &scan->link);
	scan->forget.func = forget_scan;
	scan->forget.arg = scan;
	MemoryContextRegisterResetCallback(node->ss.ps.state->es_query_cxt, &scan->forget);
}

static void
prepare_field(KlusterScan *scan, int field, TupleDesc description)
{
	AttrNumber	attribute = scan->attributes[field];
	Form_pg_attribute column;

	if (attribute == SelfItemPointerAttributeNumber)
		return;
	column = TupleDescAttr(description, attribute - 1);
	scan->codecs[field] = kluster_comparand_codec(column->atttypid, column->atttypmod);
}

static void
prepare_fields(KlusterScan *scan, List *attributes, List *averages, TupleDesc description)
{
	scan->fields = list_length(attributes);
	scan->attributes = palloc(sizeof(AttrNumber) * (scan->fields + 1));
	scan->averages = palloc(sizeof(bool) * (scan->fields + 1));
	scan->codecs = palloc0(sizeof(KlusterCodec *) * (scan->fields + 1));
	for (int i = 0; i < scan->fields; i++)
	{
		scan->attributes[i] = (AttrNumber) list_nth_int(attributes, i);
		scan->averages[i] = list_nth_int(averages, i) != 0;
		prepare_field(scan, i, description);
	}
}

static void
require_utf8(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tables on shards need a database with encoding UTF8, not %s", GetDatabaseEncodingName())));
}

/* Parameters that have one value in the whole statement, or only a meaning when rows are checked again. */
static Bitmapset *
steady_parameters(Plan *plan, Bitmapset *steady)
{
	for (; plan != NULL; plan = outerPlan(plan))
	{
		ListCell   *cell;
		ListCell   *parameter;

		foreach(cell, plan->initPlan)
			foreach(parameter, lfirst_node(SubPlan, cell)->setParam)
				steady = bms_add_member(steady, lfirst_int(parameter));
		if (IsA(plan, ModifyTable))
			steady = bms_add_member(steady, ((ModifyTable *) plan)->epqParam);
		else if (IsA(plan, LockRows))
			steady = bms_add_member(steady, ((LockRows *) plan)->epqParam);
	}
	return steady;
}

static bool
depends_on_rows(ForeignScanState *node)
{
	PlannedStmt *statement = node->ss.ps.state->es_plannedstmt;
	Bitmapset  *steady;
	ListCell   *cell;

	if (bms_is_empty(node->ss.ps.plan->allParam))
		return false;
	steady = steady_parameters(statement->planTree, NULL);
	foreach(cell, statement->subplans)
		if (lfirst(cell) != NULL && IsA(lfirst(cell), ModifyTable))
			steady = steady_parameters(lfirst(cell), steady);
	return !bms_is_subset(node->ss.ps.plan->allParam, steady);
}

void
kluster_begin_scan(ForeignScanState *node, int flags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	KlusterScan *scan;

	if (flags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	require_utf8();
	scan = palloc0(sizeof(KlusterScan));
	node->fdw_state = scan;
	scan->query = kluster_query_begin(list_nth(plan->fdw_private, KLUSTER_SCAN_TEXT), plan->fdw_exprs, &node->ss.ps);
	scan->shard = (uint32) intVal(list_nth(plan->fdw_private, KLUSTER_SCAN_SHARD));
	scan->access = intVal(list_nth(plan->fdw_private, KLUSTER_SCAN_LOCKS)) ? KLUSTER_WRITE : KLUSTER_READ;
	scan->depends = depends_on_rows(node);
	scan->repeats = (flags & EXEC_FLAG_REWIND) != 0 || scan->depends;
	scan->is_async = node->ss.ps.async_capable;
	scan->context = AllocSetContextCreate(node->ss.ps.state->es_query_cxt, "kluster scan", ALLOCSET_SMALL_SIZES);
	note_scan(scan, node);
	prepare_fields(scan, list_nth(plan->fdw_private, KLUSTER_SCAN_ATTRIBUTES),
				   list_nth(plan->fdw_private, KLUSTER_SCAN_AVERAGES),
				   node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
}

static Datum
average_of(char **values, unsigned long *lengths)
{
	Datum		sum = DirectFunctionCall3(numeric_in, CStringGetDatum(values[0]), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	Datum		count = DirectFunctionCall3(numeric_in, CStringGetDatum(values[1]), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

	return DirectFunctionCall2(numeric_div, sum, count);
}

/* The number of a row in 48 bits, which is what a ctid has. */
static void
read_row_number(ItemPointer row, const char *text)
{
	uint64		number = strtoull(text, NULL, 10);

	if (number >> 48 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the number of a row is too large: %s", text)));
	ItemPointerSet(row, (BlockNumber) (number >> 16), (OffsetNumber) (number & 0xffff));
}

TupleTableSlot *
kluster_store_row(ForeignScanState *node, char **values, unsigned long *lengths)
{
	KlusterScan *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ItemPointerData row;
	int			at = 0;

	ItemPointerSetInvalid(&row);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < scan->fields; i++)
	{
		int			column = scan->attributes[i] - 1;

		if (scan->codecs[i] == NULL)
			read_row_number(&row, values[at]);
		else if (values[at] != NULL)
		{
			slot->tts_isnull[column] = false;
			slot->tts_values[column] = scan->averages[i] ? average_of(values + at, lengths + at) :
				kluster_read_value(scan->codecs[i], values[at], lengths[at]);
		}
		at += scan->averages[i] ? 2 : 1;
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tid = row;
	return slot;
}

static void
start(ForeignScanState *node)
{
	KlusterScan *scan = node->fdw_state;
	const char *sql = kluster_query_fill(scan->query, node->ss.ps.ps_ExprContext);
	KlusterConnection *connection = kluster_connection(kluster_reading_shard(scan->shard), scan->access);
	MemoryContext caller = MemoryContextSwitchTo(scan->context);

	scan->result = scan->is_async ? kluster_query_start(connection, sql) : kluster_query(connection, sql);
	MemoryContextSwitchTo(caller);
}

bool
kluster_start_scans(EState *estate)
{
	bool		repeat = false;
	dlist_iter	at;

	dlist_foreach(at, &open_scans)
	{
		KlusterScan *scan = dlist_container(KlusterScan, link, at.cur);

		if (scan->node->ss.ps.state != estate)
			continue;
		repeat = repeat || scan->repeats;
		if (scan->result == NULL && !scan->done && !scan->depends)
			start(scan->node);
	}
	return repeat;
}

static KlusterFetch
next_row(KlusterScan *scan, char ***values, unsigned long **lengths)
{
	if (scan->is_async)
		return kluster_try_fetch(scan->result, values, lengths);
	return kluster_fetch(scan->result, values, lengths) ? KLUSTER_ROW : KLUSTER_END;
}

TupleTableSlot *
kluster_iterate_scan(ForeignScanState *node)
{
	KlusterScan *scan = node->fdw_state;
	KlusterFetch fetched = KLUSTER_END;
	char	  **values;
	unsigned long *lengths;

	if (scan->result == NULL && !scan->done)
		start(node);
	if (!scan->done)
		fetched = next_row(scan, &values, &lengths);
	if (fetched == KLUSTER_ROW)
		return kluster_store_row(node, values, lengths);
	scan->later = fetched == KLUSTER_LATER;
	scan->done = fetched == KLUSTER_END;
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

static void
stop(KlusterScan *scan)
{
	if (scan->result != NULL)
		kluster_close(scan->result);
	scan->result = NULL;
	MemoryContextReset(scan->context);
	scan->done = false;
}

void
kluster_rescan(ForeignScanState *node)
{
	if (node->fdw_state != NULL)
		stop(node->fdw_state);
}

void
kluster_end_scan(ForeignScanState *node)
{
	if (node->fdw_state != NULL)
		stop(node->fdw_state);
}

void
kluster_explain_scan(ForeignScanState *node, ExplainState *explain)
{
	List	   *private = ((ForeignScan *) node->ss.ps.plan)->fdw_private;
	int			shard = intVal(list_nth(private, KLUSTER_SCAN_SHARD));

	ExplainPropertyText("Shard", shard == KLUSTER_ALL_SHARDS ? "any" : psprintf("%u", (uint32) shard), explain);
	ExplainPropertyText("Remote SQL", kluster_query_show(list_nth(private, KLUSTER_SCAN_TEXT)), explain);
}
