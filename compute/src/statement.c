/*
 * statement.c: executing statements and reading rows without ever blocking
 * where interrupts are not served.
 */
#include "postgres.h"

#include <poll.h>

#include "access/tupdesc.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "remote.h"
#include "transaction.h"

/* Rows that are read when nobody wants them, before the server is told to stop. */
#define ROWS_TO_SKIP 100

/* And for so long. */
#define MILLISECONDS_TO_SKIP 20

/* How long an unwanted statement without rows may go on, before the server is told to stop it. */
#define MILLISECONDS_TO_END 50

struct KlusterResult
{
	KlusterConnection *connection;
	MemoryContext context;		/* of this result alone */
	MemoryContextCallback forget;
	ResourceOwner owner;
	char	   *sql;			/* the statement */
	char	   *text;			/* with what was sent before it */
	bool		first;			/* nothing is lost when it is sent again */
	TimestampTz since;			/* when it was sent again first; 0: never */
	int			columns;
	bool		started;		/* the server answered: columns are known */
	bool		ended;
	bool		moving;			/* its rows are being stored aside */

	/* Rows that were stored aside. */
	Tuplestorestate *store;
	TupleTableSlot *slot;
	char	  **values;
	unsigned long *lengths;
};

/*
 * The steps of the client library. Each is started once and continued after
 * each wait; `connection->waits` tells whether it is suspended.
 */
typedef enum Step
{
	STEP_QUERY,
	STEP_FETCH,
	STEP_NEXT
} Step;

typedef struct StepOutcome
{
	int			failed;			/* STEP_QUERY: non-zero; STEP_NEXT: -1 no more, > 0 error */
	MYSQL_ROW	row;			/* STEP_FETCH */
} StepOutcome;

static void
start_step(KlusterConnection *connection, Step step, StepOutcome *outcome)
{
	switch (step)
	{
		case STEP_QUERY:
			elog(ERROR, "a query is started with its text");
			break;
		case STEP_FETCH:
			connection->waits = mysql_fetch_row_start(&outcome->row, connection->rows);
			break;
		case STEP_NEXT:
			connection->waits = mysql_next_result_start(&outcome->failed, connection->mysql);
			break;
	}
}

static void
continue_step(KlusterConnection *connection, Step step, StepOutcome *outcome, int happened)
{
	switch (step)
	{
		case STEP_QUERY:
			connection->waits = mysql_real_query_cont(&outcome->failed, connection->mysql, happened);
			break;
		case STEP_FETCH:
			connection->waits = mysql_fetch_row_cont(&outcome->row, connection->rows, happened);
			break;
		case STEP_NEXT:
			connection->waits = mysql_next_result_cont(&outcome->failed, connection->mysql, happened);
			break;
	}
}

/* Continues until the step has ended; false when waiting has no (more) sense: the connection is dropped then. */
static bool
finish_step(KlusterConnection *connection, Step step, StepOutcome *outcome, TimestampTz until)
{
	while (connection->waits != 0)
	{
		int			happened = kluster_wait(connection, connection->waits, until);

		if (happened == MYSQL_WAIT_TIMEOUT)
		{
			kluster_drop(connection);
			return false;
		}
		continue_step(connection, step, outcome, happened);
	}
	return true;
}

/* The step that the connection is suspended in. */
static Step
suspended_step(KlusterConnection *connection)
{
	if (connection->rows != NULL)
		return STEP_FETCH;
	return connection->in_next ? STEP_NEXT : STEP_QUERY;
}

static void
release_rows(KlusterConnection *connection)
{
	if (connection->rows != NULL)
	{
		connection->rows->handle = NULL;
		mysql_free_result(connection->rows);
	}
	connection->rows = NULL;
	connection->stream = NULL;
}

/* Puts what has to precede the statement before it. */
static char *
with_preamble(KlusterConnection *connection, const char *sql)
{
	StringInfoData text;

	initStringInfo(&text);
	if (connection->key.purpose == KLUSTER_DATA)
		kluster_append_preamble(connection, &text);
	appendStringInfoString(&text, sql);
	return text.data;
}

void
kluster_send(KlusterConnection *connection, const char *text, TimestampTz until)
{
	StepOutcome outcome = {0, NULL};

	connection->in_reply = true;
	connection->reply_level = GetCurrentTransactionNestLevel();
	connection->in_next = false;
	connection->waits = mysql_real_query_start(&outcome.failed, connection->mysql, text, strlen(text));
	connection->sending = (connection->waits & MYSQL_WAIT_WRITE) != 0;
	while (connection->waits != 0 && connection->sending)
	{
		int			happened = kluster_wait(connection, connection->waits, until);

		if (happened == MYSQL_WAIT_TIMEOUT)
		{
			kluster_drop(connection);
			return;
		}
		continue_step(connection, STEP_QUERY, &outcome, happened);
		connection->sending = (connection->waits & MYSQL_WAIT_WRITE) != 0;
	}
	connection->query_failed = outcome.failed;
}

/*
 * Goes to the first answer of the reply that has rows, or to the last one; the
 * step that brings the next answer must have ended with `outcome`. False: failure.
 */
static bool
advance_to_rows(KlusterConnection *connection, StepOutcome *outcome, TimestampTz until)
{
	for (;;)
	{
		if (outcome->failed != 0)
		{
			connection->in_reply = false;
			return false;
		}
		if (mysql_field_count(connection->mysql) > 0)
		{
			connection->rows = mysql_use_result(connection->mysql);
			return connection->rows != NULL;
		}
		if (!mysql_more_results(connection->mysql))
		{
			connection->in_reply = false;
			return true;
		}
		connection->in_next = true;
		start_step(connection, STEP_NEXT, outcome);
		if (!finish_step(connection, STEP_NEXT, outcome, until))
			return false;
	}
}

/* Reads what is left of the rows at hand and of the reply, and forgets it. False: failure. */
static bool
skip_reply(KlusterConnection *connection, TimestampTz until)
{
	StepOutcome outcome = {0, NULL};

	while (connection->in_reply)
	{
		while (connection->rows != NULL)
		{
			start_step(connection, STEP_FETCH, &outcome);
			if (!finish_step(connection, STEP_FETCH, &outcome, until))
				return false;
			if (outcome.row == NULL)
				release_rows(connection);
		}
		if (mysql_errno(connection->mysql) != 0 || !mysql_more_results(connection->mysql))
		{
			connection->in_reply = false;
			return mysql_errno(connection->mysql) == 0;
		}
		connection->in_next = true;
		start_step(connection, STEP_NEXT, &outcome);
		if (!finish_step(connection, STEP_NEXT, &outcome, until) || !advance_to_rows(connection, &outcome, until))
			return false;
	}
	return true;
}

/* The reader of the rows at hand stores them aside, so that the connection is free. */
static void store_aside(KlusterResult *result);

static void settle_reply(KlusterConnection *connection, TimestampTz until);

static void
make_free(KlusterConnection *connection)
{
	if (!connection->in_reply)
		return;
	if (connection->later != NULL)
		kluster_await(connection);
	else if (connection->stream != NULL)
		store_aside(connection->stream);
	else
		settle_reply(connection, 0);
	/* Without a remote transaction another connection is as good. */
	if (connection->mysql == NULL && !connection->begun)
		kluster_make_ready(connection);
	if (connection->mysql == NULL)
		kluster_lost(connection);
}

bool
kluster_try_execute(KlusterConnection *connection, const char *sql, TimestampTz until)
{
	kluster_send(connection, sql, until);
	return kluster_receive(connection, until);
}

bool
kluster_receive(KlusterConnection *connection, TimestampTz until)
{
	StepOutcome outcome = {connection->query_failed, NULL};

	if (connection->mysql == NULL)
		return false;
	if (finish_step(connection, suspended_step(connection), &outcome, until) &&
		advance_to_rows(connection, &outcome, until) &&
		skip_reply(connection, until))
		return true;
	if (connection->waits != 0)
		kluster_drop(connection);
	connection->in_reply = false;
	return false;
}

void
kluster_execute(KlusterConnection *connection, const char *sql, uint64 *affected)
{
	bool		first = !connection->begun;
	TimestampTz since = 0;
	char	   *text;

	make_free(connection);
	text = with_preamble(connection, sql);
	while (!kluster_try_execute(connection, text, 0))
	{
		if (!first || !kluster_prepare_repetition(connection, &since))
			kluster_fail(connection, sql);
		pfree(text);
		text = with_preamble(connection, sql);
	}
	if (affected != NULL)
		*affected = (uint64) mysql_affected_rows(connection->mysql);
	pfree(text);
}

void
kluster_forget_later(KlusterConnection *connection)
{
	if (connection->later != NULL)
		pfree(connection->later);
	connection->later = NULL;
}

void
kluster_blame(KlusterConnection *connection, Oid relation, TupleTableSlot *row)
{
	connection->blamed = relation;
	connection->blamed_row = row;
}

void
kluster_execute_later(KlusterConnection *connection, const char *sql)
{
	MemoryContext caller;

	if (!connection->begun)
	{
		kluster_execute(connection, sql, NULL);
		kluster_blame(connection, InvalidOid, NULL);
		return;
	}
	make_free(connection);
	caller = MemoryContextSwitchTo(TopMemoryContext);
	connection->later = with_preamble(connection, sql);
	MemoryContextSwitchTo(caller);
	kluster_send(connection, connection->later, 0);
}

void
kluster_forget_failure(KlusterConnection *connection)
{
	if (connection->failure != NULL)
		FreeErrorData(connection->failure);
	connection->failure = NULL;
}

/* Whoever catches the error in an inner subtransaction is not whose statement failed. */
static void
keep_failure(KlusterConnection *connection)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	kluster_forget_failure(connection);
	connection->failure = CopyErrorData();
	connection->failure_level = connection->reply_level;
	MemoryContextSwitchTo(caller);
}

void
kluster_await(KlusterConnection *connection)
{
	char	   *sql;

	if (connection->later == NULL)
		return;
	if (kluster_receive(connection, 0))
	{
		kluster_forget_later(connection);
		kluster_blame(connection, InvalidOid, NULL);
		return;
	}
	sql = connection->later == NULL ? NULL : pstrdup(connection->later);
	kluster_forget_later(connection);
	PG_TRY();
	{
		kluster_fail(connection, sql);
	}
	PG_CATCH();
	{
		if (connection->reply_level < GetCurrentTransactionNestLevel())
			keep_failure(connection);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* The memory of a result is going away: nobody will read its rows. */
static void
forget_result(void *argument)
{
	KlusterResult *result = argument;

	if (result->connection->stream == result)
		result->connection->stream = NULL;
	if (result->slot != NULL)
		ExecDropSingleTupleTableSlot(result->slot);
	result->slot = NULL;
}

KlusterResult *
kluster_query_start(KlusterConnection *connection, const char *sql)
{
	MemoryContext context;
	KlusterResult *result;
	MemoryContext caller;
	bool		first;

	make_free(connection);
	first = connection->key.purpose == KLUSTER_DATA && !connection->begun;
	context = AllocSetContextCreate(CurrentMemoryContext, "kluster result", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	result = palloc0(sizeof(KlusterResult));
	result->connection = connection;
	result->context = context;
	result->owner = CurrentResourceOwner;
	result->forget.func = forget_result;
	result->forget.arg = result;
	MemoryContextRegisterResetCallback(context, &result->forget);
	result->first = first;
	result->sql = pstrdup(sql);
	result->text = with_preamble(connection, sql);
	MemoryContextSwitchTo(caller);
	connection->stream = result;
	kluster_send(connection, result->text, 0);
	return result;
}

/* Goes on without waiting; false when the server has not said enough yet. */
static bool
poll_step(KlusterConnection *connection, Step step, StepOutcome *outcome)
{
	while (connection->waits != 0)
	{
		struct pollfd socket = {.fd = mysql_get_socket(connection->mysql), .events = POLLIN};

		if (poll(&socket, 1, 0) == 0)
			return false;
		continue_step(connection, step, outcome, MYSQL_WAIT_READ);
	}
	return true;
}

static void
send_again(KlusterResult *result)
{
	MemoryContext caller = MemoryContextSwitchTo(result->context);

	result->text = with_preamble(result->connection, result->sql);
	MemoryContextSwitchTo(caller);
	result->connection->stream = result;
	kluster_send(result->connection, result->text, 0);
}

/* The answer to the statement has come: notes the columns. False: it had to be sent again. */
static bool
begin_rows(KlusterResult *result, StepOutcome *outcome)
{
	KlusterConnection *connection = result->connection;

	if (!advance_to_rows(connection, outcome, 0))
	{
		if (!result->first || !kluster_prepare_repetition(connection, &result->since))
			kluster_fail(connection, result->sql);
		send_again(result);
		return false;
	}
	result->started = true;
	result->columns = connection->rows == NULL ? 0 : (int) mysql_num_fields(connection->rows);
	if (connection->rows != NULL)
		return true;
	result->ended = true;
	connection->stream = NULL;
	return true;
}

/* All rows have come. */
static void
end_rows(KlusterResult *result)
{
	KlusterConnection *connection = result->connection;

	result->ended = true;
	release_rows(connection);
	if (!skip_reply(connection, 0))
		kluster_fail(connection, result->sql);
}

static bool
start_reading(KlusterResult *result, bool wait)
{
	while (!result->started)
	{
		StepOutcome outcome = {result->connection->query_failed, NULL};

		if (result->connection->mysql == NULL ||
			!(wait ? finish_step(result->connection, STEP_QUERY, &outcome, 0) :
			  poll_step(result->connection, STEP_QUERY, &outcome)))
		{
			if (result->connection->mysql != NULL)
				return false;
			outcome.failed = 1;
		}
		begin_rows(result, &outcome);
	}
	return true;
}

static KlusterFetch
fetch_stored(KlusterResult *result, char ***values, unsigned long **lengths)
{
	/* A row that comes back from disk lives until the next one is read: longer than the caller's memory may. */
	MemoryContext caller = MemoryContextSwitchTo(result->context);
	bool		found = tuplestore_gettupleslot(result->store, true, false, result->slot);

	MemoryContextSwitchTo(caller);
	if (!found)
		return KLUSTER_END;
	slot_getallattrs(result->slot);
	for (int i = 0; i < result->columns; i++)
	{
		bytea	   *value = result->slot->tts_isnull[i] ? NULL : DatumGetByteaPP(result->slot->tts_values[i]);

		result->values[i] = value == NULL ? NULL : VARDATA_ANY(value);
		result->lengths[i] = value == NULL ? 0 : VARSIZE_ANY_EXHDR(value) - 1;
	}
	*values = result->values;
	*lengths = result->lengths;
	return KLUSTER_ROW;
}

static KlusterFetch
fetch(KlusterResult *result, bool wait, char ***values, unsigned long **lengths)
{
	KlusterConnection *connection = result->connection;
	StepOutcome outcome = {0, NULL};

	if (result->store != NULL)
		return fetch_stored(result, values, lengths);
	if (result->ended)
		return KLUSTER_END;
	if ((result->started || connection->mysql != NULL) && connection->stream != result)
		kluster_lost(connection);
	if (!start_reading(result, wait))
		return KLUSTER_LATER;
	if (result->ended)
		return KLUSTER_END;
	if (connection->waits == 0)
		start_step(connection, STEP_FETCH, &outcome);
	if (!(wait ? finish_step(connection, STEP_FETCH, &outcome, 0) : poll_step(connection, STEP_FETCH, &outcome)))
	{
		if (connection->mysql == NULL)
			kluster_lost(connection);
		return KLUSTER_LATER;
	}
	if (outcome.row == NULL)
	{
		if (mysql_errno(connection->mysql) != 0)
			kluster_fail(connection, result->sql);
		end_rows(result);
		return KLUSTER_END;
	}
	*values = outcome.row;
	*lengths = mysql_fetch_lengths(connection->rows);
	return KLUSTER_ROW;
}

KlusterResult *
kluster_query(KlusterConnection *connection, const char *sql)
{
	KlusterResult *result = kluster_query_start(connection, sql);

	start_reading(result, true);
	return result;
}

int
kluster_columns(KlusterResult *result)
{
	start_reading(result, true);
	return result->columns;
}

bool
kluster_fetch(KlusterResult *result, char ***values, unsigned long **lengths)
{
	return fetch(result, true, values, lengths) == KLUSTER_ROW;
}

KlusterFetch
kluster_try_fetch(KlusterResult *result, char ***values, unsigned long **lengths)
{
	return fetch(result, false, values, lengths);
}

pgsocket
kluster_result_socket(KlusterResult *result)
{
	if (result->store != NULL || result->ended || result->connection->mysql == NULL)
		return PGINVALID_SOCKET;
	return mysql_get_socket(result->connection->mysql);
}

void
kluster_check_source(KlusterResult *result)
{
	if (kluster_result_socket(result) != PGINVALID_SOCKET && kluster_has_moved(result->connection))
		kluster_give_up(result->connection);
}

void
kluster_close(KlusterResult *result)
{
	/* Its file on disk belongs to the transaction, and would be missed at the end. */
	if (result->store != NULL)
		tuplestore_end(result->store);
	/* The next user of the connection gets rid of the rows that are left. */
	MemoryContextDelete(result->context);
}

/* Prepares the store: columns of bytes, each with a zero byte at its end. */
static Tuplestorestate *
make_store(KlusterResult *result)
{
	TupleDesc	columns = CreateTemplateTupleDesc(result->columns);
	ResourceOwner caller = CurrentResourceOwner;
	Tuplestorestate *store;

	for (int i = 0; i < result->columns; i++)
		TupleDescInitEntry(columns, (AttrNumber) (i + 1), NULL, BYTEAOID, -1, 0);
	result->slot = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
	result->values = palloc0(sizeof(char *) * (result->columns + 1));
	result->lengths = palloc0(sizeof(unsigned long) * (result->columns + 1));
	CurrentResourceOwner = result->owner;
	store = tuplestore_begin_heap(false, false, work_mem);
	CurrentResourceOwner = caller;
	return store;
}

static void
store_row(KlusterResult *result, Tuplestorestate *store, MemoryContext scratch, char **row, unsigned long *lengths)
{
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	Datum	   *values = palloc(sizeof(Datum) * (result->columns + 1));
	bool	   *nulls = palloc(sizeof(bool) * (result->columns + 1));

	for (int i = 0; i < result->columns; i++)
	{
		nulls[i] = row[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(row[i], (int) lengths[i] + 1));
	}
	MemoryContextSwitchTo(result->context);
	tuplestore_putvalues(store, result->slot->tts_tupleDescriptor, values, nulls);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(scratch);
}

static void
store_aside(KlusterResult *result)
{
	MemoryContext caller = MemoryContextSwitchTo(result->context);
	MemoryContext scratch = AllocSetContextCreate(result->context, "kluster row", ALLOCSET_DEFAULT_SIZES);
	Tuplestorestate *store;
	char	  **row;
	unsigned long *lengths;

	result->moving = true;
	start_reading(result, true);
	store = make_store(result);
	while (fetch(result, true, &row, &lengths) == KLUSTER_ROW)
		store_row(result, store, scratch, row, lengths);
	result->store = store;
	result->moving = false;
	MemoryContextDelete(scratch);
	MemoryContextSwitchTo(caller);
}

/* Makes the server stop the statement of the connection, through another connection. */
static bool
stop_statement(KlusterConnection *connection, TimestampTz until)
{
	long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
	unsigned int seconds = (unsigned int) Max(1, left / 1000);
	MYSQL	   *other = mysql_init(NULL);
	bool		done = false;

	if (other == NULL)
		return false;
	mysql_options(other, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	mysql_options(other, MYSQL_OPT_READ_TIMEOUT, &seconds);
	mysql_options(other, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
	if (mysql_real_connect(other, connection->host, connection->user, connection->password, NULL, connection->port,
						   NULL, 0) != NULL)
	{
		char	   *sql = psprintf("KILL QUERY %lu", mysql_thread_id(connection->mysql));

		done = mysql_query(other, sql) == 0;
	}
	mysql_close(other);
	return done;
}

/* Waits for the end of the step that the connection is in; false: it goes on, and the connection is as before. */
static bool
ends_within(KlusterConnection *connection, Step step, StepOutcome *outcome, TimestampTz until)
{
	struct pollfd socket = {.fd = mysql_get_socket(connection->mysql), .events = POLLIN};

	while (!poll_step(connection, step, outcome))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		if (left <= 0)
			return false;
		(void) poll(&socket, 1, (int) left);
	}
	return true;
}

/*
 * Reads a few rows, in the hope that they are the last ones, which costs less
 * than another connection; false when there are more, or a failure.
 */
static bool
skip_few_rows(KlusterConnection *connection)
{
	StepOutcome outcome = {0, NULL};
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), MILLISECONDS_TO_SKIP);

	for (int i = 0; i < ROWS_TO_SKIP && connection->rows != NULL; i++)
	{
		if (connection->waits == 0)
			start_step(connection, STEP_FETCH, &outcome);
		if (!ends_within(connection, STEP_FETCH, &outcome, until))
			return false;
		if (outcome.row == NULL)
			release_rows(connection);
	}
	return connection->rows == NULL && !mysql_more_results(connection->mysql);
}

/* Waits a little for the statement of kluster_execute_later(), as a rule a batch that takes some milliseconds. */
static bool
ends_soon(KlusterConnection *connection, StepOutcome *outcome)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), MILLISECONDS_TO_END);

	return !connection->sending && suspended_step(connection) == STEP_QUERY &&
		ends_within(connection, STEP_QUERY, outcome, until);
}

/* Reads what the server still says; drops the connection when that takes too long. */
static void
finish_reply(KlusterConnection *connection, TimestampTz until)
{
	StepOutcome outcome = {connection->query_failed, NULL};
	Step		step = suspended_step(connection);
	/* Nobody has asked for the next row yet. */
	bool		between_rows = step == STEP_FETCH && connection->waits == 0;

	if (!finish_step(connection, step, &outcome, until))
		kluster_drop(connection);
	else if (step == STEP_FETCH && outcome.row == NULL && !between_rows)
		release_rows(connection);
	else if (step != STEP_FETCH)
		advance_to_rows(connection, &outcome, until);
	if (connection->mysql != NULL && !skip_reply(connection, until) && connection->in_reply)
		kluster_drop(connection);
}

static void
settle_reply(KlusterConnection *connection, TimestampTz until)
{
	StepOutcome outcome = {connection->query_failed, NULL};

	if (connection->mysql == NULL || !connection->in_reply)
		return;
	connection->stream = NULL;
	if (connection->later != NULL && ends_soon(connection, &outcome))
	{
		if (advance_to_rows(connection, &outcome, until))
			(void) skip_reply(connection, until);
		return;
	}
	if (connection->rows != NULL && skip_few_rows(connection))
	{
		connection->in_reply = false;
		return;
	}
	if (until == 0)
		until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 5000);
	if (!connection->active || connection->sending || kluster_has_moved(connection) ||
		!stop_statement(connection, until))
	{
		kluster_drop(connection);
		return;
	}
	finish_reply(connection, until);
}

bool
kluster_outlives(KlusterConnection *connection, int level)
{
	if (!connection->in_reply || connection->reply_level >= level)
		return false;
	return connection->later != NULL || (connection->stream != NULL && !connection->stream->moving);
}

void
kluster_settle(KlusterConnection *connection, TimestampTz until)
{
	settle_reply(connection, until);
	kluster_forget_later(connection);
	kluster_blame(connection, InvalidOid, NULL);
}
