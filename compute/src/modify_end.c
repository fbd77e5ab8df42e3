/*
 * modify_end.c: what a statement's changes wait for is sent, and answered, before PostgreSQL runs the AFTER triggers
 * of the statement: they see all that it did, and its errors are not theirs to catch.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "lib/ilist.h"

#include "deferral.h"
#include "modify.h"
#include "modify_state.h"

static ExecutorFinish_hook_type previous_finish = NULL;

/* Of all statements that are running; rows that wait in the order of the first of them. */
static dlist_head inserters = DLIST_STATIC_INIT(inserters);

static void
forget(void *argument)
{
	dlist_delete(&((KlusterModify *) argument)->link);
}

void
kluster_keep_inserter(KlusterModify *modify)
{
	dlist_push_tail(&inserters, &modify->link);
	modify->forget.func = forget;
	modify->forget.arg = modify;
	MemoryContextRegisterResetCallback(modify->estate->es_query_cxt, &modify->forget);
}

void
kluster_begin_waiting(KlusterModify *modify)
{
	dlist_move_tail(&inserters, &modify->link);
}

void
kluster_send_waiting(EState *estate, KlusterModify *last)
{
	dlist_iter	at;

	dlist_foreach(at, &inserters)
	{
		KlusterModify *modify = dlist_container(KlusterModify, link, at.cur);

		if (modify->estate == estate)
			(void) kluster_send_rows(modify);
		if (modify == last)
			return;
	}
}

void
kluster_finish_changes(EState *estate)
{
	dlist_iter	at;

	kluster_send_waiting(estate, NULL);
	kluster_send_deferred(estate);
	dlist_foreach(at, &inserters)
	{
		KlusterModify *modify = dlist_container(KlusterModify, link, at.cur);

		if (modify->estate != estate || !modify->unanswered)
			continue;
		kluster_await_change(modify->table->shard);
		modify->unanswered = false;
	}
}

/* What WITH changes and nobody reads is executed last (PostgreSQL's execMain.c); a second time there is nothing left. */
static void
execute_rest(EState *estate)
{
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	ListCell   *cell;

	estate->es_direction = ForwardScanDirection;
	foreach(cell, estate->es_auxmodifytables)
	{
		TupleTableSlot *slot;

		do
		{
			ResetPerTupleExprContext(estate);
			slot = ExecProcNode((PlanState *) lfirst(cell));
		} while (!TupIsNull(slot));
	}
	MemoryContextSwitchTo(caller);
}

static void
finish(QueryDesc *query)
{
	execute_rest(query->estate);
	kluster_finish_changes(query->estate);
	if (previous_finish)
		previous_finish(query);
	else
		standard_ExecutorFinish(query);
}

void
kluster_modify_end_init(void)
{
	previous_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish;
}
