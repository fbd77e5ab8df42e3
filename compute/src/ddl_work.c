/*
 * ddl_work.c: the definitions of one transaction: steps at the shards, entries of
 * the log, and what the end of the transaction does with them (see ddl_work.h).
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "connection.h"
#include "ddl_applied.h"
#include "ddl_settings.h"
#include "ddl_shared.h"
#include "ddl_step.h"
#include "ddl_store.h"
#include "ddl_undo.h"
#include "ddl_work.h"
#include "fault.h"
#include "quote.h"
#include "remote.h"
#include "sequence.h"
#include "shape_text.h"
#include "topology.h"

/* An entry for the log. */
typedef struct Entry
{
	KlusterLogEntry entry;
	SubTransactionId owner;
} Entry;

/* A sequence that starts anew. */
typedef struct Restart
{
	Oid			sequence;
	SubTransactionId owner;
} Restart;

/* The work of the current transaction; all zero when there is none. */
static struct
{
	MemoryContext context;
	bool		locked;
	bool		begun;			/* ... and this compute node is up to date */
	uint64		token;
	int			marks;
	List	   *steps;			/* of KlusterStep */
	List	   *entries;		/* of Entry */
	List	   *restarts;		/* of Restart */
	List	   *blocked;		/* shards with intents that could not be ended */
	uint64		appended;		/* id of the last entry sent to the log; 0: not yet */
	bool		open;			/* ... and not committed yet */
	unsigned long session;		/* of MySQL, where that is */
}			work;

static uint64
number_before_work(void)
{
	return kluster_ddl_progress().applied;
}

/* Statements for this shard have to wait: what is pending there could hit what they make. */
static void
block_shard(uint32 shard)
{
	MemoryContext caller = MemoryContextSwitchTo(work.context);

	work.blocked = list_append_unique_int(work.blocked, (int) shard);
	MemoryContextSwitchTo(caller);
}

static void
refuse_blocked(uint32 shard)
{
	if (list_member_int(work.blocked, (int) shard))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shard %u cannot take definitions: an earlier one that was interrupted could not be ended there", shard),
				 errhint("Try again when the shard is available.")));
}

/* Ends what a holder of the lock that died left behind. A shard that cannot be reached keeps its intents for later. */
static void
end_left_behind(void)
{
	List	   *intents = kluster_store_intents();
	ListCell   *cell;

	/* What was done last is taken back first. */
	for (int i = list_length(intents) - 1; i >= 0; i--)
	{
		KlusterIntent *intent = list_nth(intents, i);

		if (intent->committed)
			continue;
		if (kluster_take_back(intent))
			kluster_store_forget_intent(intent->id);
		else
			block_shard(intent->shard);
	}
	foreach(cell, intents)
	{
		KlusterIntent *intent = lfirst(cell);

		if (!intent->committed)
			continue;
		if (kluster_finish(intent))
			kluster_store_forget_intent(intent->id);
		else
			block_shard(intent->shard);
	}
}

/* This compute node must know what the others defined. */
static void
catch_up(void)
{
	uint64		newest = kluster_store_newest();

	kluster_ddl_note_newest(newest);
	kluster_ddl_wake_launcher();
	if (!kluster_ddl_await(newest, kluster_ddl_lock_timeout * 1000))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("this compute node has not applied the definitions of the others within %d seconds",
						kluster_ddl_lock_timeout),
				 errdetail("Entry " UINT64_FORMAT " of the log is the newest, " UINT64_FORMAT " the last applied.", newest,
						   kluster_ddl_progress().applied),
				 errhint("A lock of an open transaction, or a failing entry may be in its way: see the server's log.")));
}

void
kluster_work_begin(void)
{
	if (work.begun)
		return;
	if (work.context == NULL)
		work.context = AllocSetContextCreate(TopMemoryContext, "kluster definitions", ALLOCSET_SMALL_SIZES);
	/* What fails after the lock is begun anew by the next definition, when the transaction goes on from a savepoint. */
	if (!work.locked)
		kluster_store_lock();
	work.locked = true;
	work.token = kluster_store_new_token();
	end_left_behind();
	catch_up();
	work.begun = true;
}

uint64
kluster_work_token(void)
{
	return kluster_replay_token() != 0 ? kluster_replay_token() : work.token;
}

char *
kluster_work_mark(void)
{
	return psprintf("kluster " UINT64_FORMAT ".%d", work.token, ++work.marks);
}

static char *
kept(const char *text)
{
	return text == NULL ? NULL : MemoryContextStrdup(work.context, text);
}

/* Takes back what rolled back subtransactions did, so that it is not in the way of the next statement. */
static void
take_back_cancelled(void)
{
	for (int i = list_length(work.steps) - 1; i >= 0; i--)
	{
		KlusterStep *step = list_nth(work.steps, i);

		if (!step->cancelled || !kluster_take_back(&step->intent))
			continue;
		kluster_store_forget_intent(step->intent.id);
		work.steps = list_delete_nth_cell(work.steps, i);
	}
}

static void
remember_step(const KlusterWork *done)
{
	MemoryContext caller = MemoryContextSwitchTo(work.context);
	KlusterStep *step = kluster_make_step(done, work.token);

	step->owner = GetCurrentSubTransactionId();
	step->intent.id = kluster_store_intent(&step->intent);
	work.steps = lappend(work.steps, step);
	MemoryContextSwitchTo(caller);
}

void
kluster_work_do(const KlusterWork *todo)
{
	kluster_work_begin();
	refuse_blocked(todo->shard);
	take_back_cancelled();
	if (todo->undo != NULL || todo->put_off != NULL || todo->at_commit != NULL)
		remember_step(todo);
	kluster_fault("ddl_intent");
	if (todo->sql != NULL)
		kluster_execute(kluster_ddl_connection(todo->shard),
						psprintf("SET SESSION lock_wait_timeout = %d, foreign_key_checks = 1; %s", kluster_ddl_lock_timeout, todo->sql), NULL);
	kluster_fault("ddl_shard");
}

const char *
kluster_work_standing_mark(uint32 shard, const char *database, const char *table)
{
	return kluster_steps_mark(work.steps, shard, database, table);
}

bool
kluster_work_drops(uint32 shard, const char *database, const char *table)
{
	return kluster_steps_drop(work.steps, shard, database, table);
}

void
kluster_work_set_aside(uint32 shard, const char *database, const char *table)
{
	char	   *aside = psprintf("kluster_dropped_" UINT64_FORMAT "_%d", work.token, ++work.marks);
	char	   *mark = kluster_work_mark();
	char	   *from = kluster_table_text(database, table);
	char	   *to = kluster_table_text(database, aside);
	KlusterWork rename = {
		.shard = shard,
		.sql = psprintf("ALTER TABLE %s COMMENT '%s', RENAME TO %s", from, mark, to),
		.undo = psprintf("ALTER TABLE %s COMMENT '%s', RENAME TO %s", to, kluster_work_standing_mark(shard, database, table), from),
		.database = database,
		.table = aside,
		.former_database = database,
		.former_table = table,
		.mark = mark
	};

	kluster_work_do(&rename);
}

void
kluster_work_log(const KlusterLogEntry *entry)
{
	MemoryContext caller;
	Entry	   *copy;

	kluster_work_begin();
	caller = MemoryContextSwitchTo(work.context);
	copy = palloc(sizeof(Entry));
	copy->entry.object_name = kept(entry->object_name);
	copy->entry.schema = kept(entry->schema);
	copy->entry.object_type = kept(entry->object_type);
	copy->entry.operation = kept(entry->operation);
	copy->entry.source = kept(entry->source);
	copy->entry.settings = kept(entry->settings);
	copy->entry.shard = entry->shard;
	copy->owner = GetCurrentSubTransactionId();
	work.entries = lappend(work.entries, copy);
	MemoryContextSwitchTo(caller);
}

void
kluster_work_restart(Oid sequence)
{
	MemoryContext caller;
	Restart    *restart;

	kluster_work_begin();
	caller = MemoryContextSwitchTo(work.context);
	restart = palloc(sizeof(Restart));
	restart->sequence = sequence;
	restart->owner = GetCurrentSubTransactionId();
	work.restarts = lappend(work.restarts, restart);
	MemoryContextSwitchTo(caller);
}

bool
kluster_work_restarts(Oid sequence)
{
	ListCell   *cell;

	foreach(cell, work.restarts)
		if (((Restart *) lfirst(cell))->sequence == sequence)
			return true;
	return false;
}

/* The statements for the metadata server that tell where the sequences are that started anew. */
static List *
positions_of_restarts(void)
{
	List	   *statements = NIL;
	ListCell   *cell;

	foreach(cell, work.restarts)
	{
		char	   *statement = kluster_sequence_position(((Restart *) lfirst(cell))->sequence);

		if (statement != NULL)
			statements = lappend(statements, statement);
	}
	return statements;
}

/* Whoever finds intents of a transaction that is committed does not take them back. */
static void
require_taken_back(void)
{
	ListCell   *cell;

	foreach(cell, work.steps)
	{
		KlusterStep *step = lfirst(cell);

		if (step->cancelled)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("what was rolled back to a savepoint could not be taken back on shard %u", step->intent.shard)));
	}
}

/* What is put off is done by the names that the tables have now: the statements for the metadata server that say so. */
static List *
renamed_put_off(void)
{
	MemoryContext caller = MemoryContextSwitchTo(work.context);
	List	   *statements = NIL;
	ListCell   *cell;

	foreach(cell, work.steps)
	{
		KlusterStep *step = lfirst(cell);
		char	   *text = kluster_step_put_off(work.steps, step);

		if (text == NULL || strcmp(text, step->intent.at_commit) == 0)
			continue;
		step->intent.at_commit = text;
		statements = lappend(statements, kluster_store_put_off_text(step->intent.id, text));
	}
	MemoryContextSwitchTo(caller);
	return statements;
}

/* The commit of the definitions. */
static void
append_to_log(void)
{
	List	   *entries = NIL;
	ListCell   *cell;

	take_back_cancelled();
	require_taken_back();
	if (work.entries == NIL)
		return;
	foreach(cell, work.entries)
		entries = lappend(entries, &((Entry *) lfirst(cell))->entry);
	kluster_lock_applying();
	kluster_fault("ddl_before_log");
	work.appended = kluster_store_append(work.token, number_before_work(), entries,
										  list_concat(positions_of_restarts(), renamed_put_off()));
	work.session = mysql_thread_id(kluster_mysql(kluster_metadata_connection()));
	work.open = true;
	kluster_store_applied(work.appended);
}

bool
kluster_work_is_open(void)
{
	return work.open;
}

bool
kluster_work_commit(TimestampTz until)
{
	KlusterConnection *connection = kluster_metadata_connection();

	/* Another session knows nothing of the entries. */
	if (mysql_thread_id(kluster_mysql(connection)) != work.session || !kluster_try_execute(connection, "COMMIT", until))
		return false;
	work.open = false;
	kluster_fault("ddl_after_log");
	return true;
}

/* Does what was put off. What fails stays for whoever takes the lock next. */
static void
finish_steps(void)
{
	ListCell   *cell;

	foreach(cell, work.steps)
	{
		KlusterStep *step = lfirst(cell);
		bool		done = step->cancelled ? kluster_take_back(&step->intent) : kluster_finish(&step->intent);

		if (done && (step->cancelled || step->intent.at_commit != NULL))
			kluster_store_forget_intent(step->intent.id);
	}
}

static void
take_back_steps(void)
{
	for (int i = list_length(work.steps) - 1; i >= 0; i--)
	{
		KlusterStep *step = list_nth(work.steps, i);

		if (kluster_take_back(&step->intent))
			kluster_store_forget_intent(step->intent.id);
	}
}

/* An INSERT right after this, on another compute node, finds the table. */
static void
await_others(uint64 id)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kluster_ddl_follow_timeout);
	char	   *behind;

	while ((behind = kluster_store_behind(id)) != NULL)
	{
		if (QueryCancelPending || ProcDiePending || GetCurrentTimestamp() >= until)
		{
			ereport(WARNING,
					(errmsg("the definition is committed, but compute nodes have not followed yet: %s", behind)));
			return;
		}
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
	}
}

static void
forget_work(void)
{
	MemoryContext context = work.context;

	memset(&work, 0, sizeof(work));
	work.context = context;
	if (context != NULL)
		MemoryContextReset(context);
}

/* The transaction has ended: nothing here may fail any more. */
static void
end_work(bool committed)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile uint64 appended = work.appended;

	PG_TRY();
	{
		if (!committed)
			kluster_execute(kluster_metadata_connection(), "ROLLBACK", NULL);
		/* The answer to COMMIT may have been lost: the log knows. */
		if (!committed && appended != 0 && !kluster_store_has(work.token))
			appended = 0;
		kluster_fault("ddl_before_finish");
		if (appended != 0)
			finish_steps();
		else
			take_back_steps();
		if (committed && appended != 0)
			kluster_ddl_note_applied(appended);
		kluster_store_unlock();
		kluster_ddl_wake_launcher();
		if (committed && appended != 0)
			await_others(appended);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		ereport(WARNING,
				(errmsg("what the definition left to do at the shards is done with the next definition: %s", error->message)));
		kluster_store_unlock();
	}
	PG_END_TRY();
	forget_work();
}

static void
before_transaction_ends(XactEvent event, void *argument)
{
	if (!work.locked)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			append_to_log();
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction with definitions")));
			break;
		default:
			break;
	}
}

static void
after_transaction_ended(XactEvent event, void *argument)
{
	if (work.locked && (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT))
		end_work(event == XACT_EVENT_COMMIT);
}

static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *argument)
{
	ListCell   *cell;
	bool		abort = event == SUBXACT_EVENT_ABORT_SUB;

	if (!work.locked || (!abort && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	foreach(cell, work.steps)
	{
		KlusterStep *step = lfirst(cell);

		if (step->owner != mine)
			continue;
		step->owner = parent;
		step->cancelled = step->cancelled || abort;
	}
	foreach(cell, work.entries)
	{
		Entry	   *entry = lfirst(cell);

		if (entry->owner != mine)
			continue;
		if (abort)
			work.entries = foreach_delete_current(work.entries, cell);
		else
			entry->owner = parent;
	}
	foreach(cell, work.restarts)
	{
		Restart    *restart = lfirst(cell);

		if (restart->owner != mine)
			continue;
		if (abort)
			work.restarts = foreach_delete_current(work.restarts, cell);
		else
			restart->owner = parent;
	}
}

void
kluster_work_init_last(void)
{
	RegisterXactCallback(after_transaction_ended, NULL);
}

void
kluster_work_init_first(void)
{
	RegisterXactCallback(before_transaction_ends, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
}
