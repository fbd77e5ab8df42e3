/*
 * two_phase.c: the end of the remote transactions.
 *
 * COMMIT, in PostgreSQL's pre-commit event, where an error still aborts:
 *
 *   no shard written     the branches that only read are ended.
 *                        Definitions, if there are any, are committed (ddl_work.h).
 *   one shard written    XA COMMIT ... ONE PHASE there. When the answer is lost, the client
 *                        gets "outcome unknown" (08007), as from any server that
 *                        dies during a commit.
 *   several              1. XA PREPARE on each.
 *                        2. 'commit' into the commit log: the decision.
 *                        3. XA COMMIT on each.
 *                        4. PostgreSQL's own commit.
 *
 * What if this backend, its PostgreSQL server or its machine dies ...
 *   before 1, during 1   MySQL rolls back branches that are not prepared when
 *                        their connection ends; the prepared ones stay, the resolver of the
 *                        manager finds no decision, logs 'abort', rolls them back.
 *   between 1 and 2      the same. Should this backend only have been slow, its insert of
 *                        'commit' hits the resolver's row, and it rolls back.
 *   between 2 and 3      the resolver finds 'commit' and commits every branch.
 *   during 3             the same for the branches that are left.
 *   between 3 and 4      the shards are committed. Changes in PostgreSQL itself
 *                        (temporary tables, which die anyway; settings; DDL, which
 *                        has its own log) are lost. The order has no better alternative: after
 *                        4 an error could not stop anything any more.
 * What if a shard's primary dies ...
 *   in 1                 error, all others roll back. Did it prepare and come back,
 *                        the resolver rolls the branch back.
 *   after 1              a prepared branch survives the crash, and is on the replica that is
 *                        promoted, since XA PREPARE is in the binary log and acknowledged.
 * What if the metadata server dies in 2: see commit_log.c. When the decision
 * cannot be found out in time, the client gets 08007 and the branches stay prepared, for the resolver.
 *
 * The decision made, nothing may raise an error: interrupts are held, a failing XA
 * COMMIT is repeated until kluster.failover_timeout, then it becomes a
 * warning, and the resolver's work.
 */
#include "postgres.h"

#include <mysqld_error.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "commit_log.h"
#include "ddl_work.h"
#include "fault.h"
#include "global_transaction.h"
#include "remote.h"
#include "settings.h"
#include "topology.h"
#include "transaction.h"

/* Between two attempts to commit a branch whose shard does not answer. */
#define PAUSE_MICROSECONDS 200000L

/* The transaction that branches of this backend belong to now; no name: none. */
static KlusterGlobalTransaction current = {.name = ""};

typedef struct Participants
{
	List	   *writers;
	List	   *readers;
} Participants;

void
kluster_name_branch(KlusterConnection *connection)
{
	if (current.name[0] == '\0')
		kluster_name_transaction(&current);
	strlcpy(connection->xid, current.name, sizeof(connection->xid));
}

static void
collect(KlusterConnection *connection, void *argument)
{
	Participants *participants = argument;

	if (connection->key.purpose != KLUSTER_DATA || !connection->active)
		return;
	if (connection->doomed || (connection->begun && connection->mysql == NULL))
		kluster_lost(connection);
	if (connection->failure != NULL)
		ReThrowError(connection->failure);
	kluster_await(connection);
	if (!connection->begun)
		kluster_forget_transaction(connection);
	else if (connection->written)
		participants->writers = lappend(participants->writers, connection);
	else
		participants->readers = lappend(participants->readers, connection);
}

/* Proves that the branch still has its locks. */
static void
end_reader(KlusterConnection *connection)
{
	kluster_settle(connection, 0);
	if (connection->mysql == NULL)
		kluster_lost(connection);
	connection->prepared = KLUSTER_ENDING;
	if (!kluster_try_execute(connection, psprintf("XA END '%s'", connection->xid), 0))
		kluster_fail(connection, "XA END");
}

/* A branch that read only has no say; its end releases its locks. */
static void
release_reader(KlusterConnection *connection)
{
	char	   *sql = psprintf("XA COMMIT '%s' ONE PHASE", connection->xid);

	if (!kluster_try_execute(connection, sql, kluster_cleanup_end()))
		kluster_drop(connection);
	kluster_forget_transaction(connection);
}

static void
commit_in_one_phase(KlusterConnection *connection)
{
	char	   *sql = psprintf("XA END '%s'; XA COMMIT '%s' ONE PHASE", connection->xid, connection->xid);
	unsigned int code;

	kluster_settle(connection, 0);
	if (connection->mysql == NULL)
		kluster_lost(connection);
	kluster_fault("before_commit");
	connection->prepared = KLUSTER_ENDING;
	if (kluster_try_execute(connection, sql, 0))
	{
		kluster_fault("after_commit");
		kluster_forget_transaction(connection);
		return;
	}
	code = kluster_error_code(connection);
	if (!kluster_is_connection_failure(code) || code == KLUSTER_GROUP_MOVES)
		kluster_fail(connection, sql);
	ereport(ERROR,
			(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
			 errmsg("%s: %s during the commit: its outcome is unknown", connection->label, kluster_loss(connection)),
			 errdetail_internal("MySQL error %u.", code)));
}

static void
prepare_all(List *writers)
{
	ListCell   *cell;

	kluster_fault("before_prepare");
	foreach(cell, writers)
	{
		KlusterConnection *connection = lfirst(cell);
		char	   *sql;

		kluster_settle(connection, 0);
		if (connection->mysql == NULL)
			kluster_lost(connection);
		sql = psprintf("XA END '%s'; XA PREPARE '%s'", connection->xid, connection->xid);
		connection->prepared = KLUSTER_PREPARING;
		kluster_send(connection, sql, 0);
		if (cell == list_head(writers))
			kluster_fault("during_prepare");
	}
	foreach(cell, writers)
	{
		KlusterConnection *connection = lfirst(cell);

		if (!kluster_receive(connection, 0))
			kluster_fail(connection, "XA PREPARE");
		connection->prepared = KLUSTER_PREPARED;
	}
	kluster_fault("after_prepare");
}

/* One more attempt to commit a branch, through whatever is the primary now. True: it is committed. */
static bool
commit_again(KlusterConnection *connection, const char *sql, TimestampTz until)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool done = false;

	PG_TRY();
	{
		kluster_reopen(connection);
		done = kluster_try_execute(connection, sql, until) || kluster_error_code(connection) == ER_XAER_NOTA;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	return done;
}

static void
insist(KlusterConnection *connection, TimestampTz until)
{
	char	   *sql = psprintf("XA COMMIT '%s'", connection->xid);

	do
	{
		kluster_drop(connection);
		if (commit_again(connection, sql, until))
			return;
		pg_usleep(PAUSE_MICROSECONDS);
	} while (GetCurrentTimestamp() < until);
	kluster_drop(connection);
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("%s does not answer: the cluster manager will commit transaction %s there", connection->label,
					connection->xid)));
}

/* After the decision. Must not fail. */
static void
commit_all(List *writers)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Max(kluster_failover_timeout, 5) * 1000L);
	ListCell   *cell;

	foreach(cell, writers)
	{
		KlusterConnection *connection = lfirst(cell);

		kluster_send(connection, psprintf("XA COMMIT '%s'", connection->xid), until);
		if (cell == list_head(writers))
			kluster_fault("during_commit");
	}
	foreach(cell, writers)
	{
		KlusterConnection *connection = lfirst(cell);

		if (!kluster_receive(connection, until))
			insist(connection, until);
		kluster_forget_transaction(connection);
	}
	kluster_fault("after_commit");
}

static char *
shard_list(List *writers)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	foreach(cell, writers)
	{
		KlusterConnection *connection = lfirst(cell);

		appendStringInfo(&out, "%c%u", out.len == 0 ? '[' : ',', connection->key.shard);
	}
	appendStringInfoChar(&out, ']');
	return out.data;
}

/* The branches keep what they are; this backend has nothing to do with them any more. */
static void
leave_in_doubt(List *writers)
{
	ListCell   *cell;

	foreach(cell, writers)
	{
		kluster_drop(lfirst(cell));
		kluster_forget_transaction(lfirst(cell));
	}
}

static void
commit_in_two_phases(List *writers)
{
	char	   *shards = shard_list(writers);
	KlusterDecision decision;

	kluster_open_commit_log();
	prepare_all(writers);
	HOLD_INTERRUPTS();
	decision = kluster_decide_commit(&current, shards);
	if (decision == KLUSTER_DECIDED_COMMIT)
	{
		kluster_fault("after_decision");
		commit_all(writers);
	}
	else if (decision == KLUSTER_UNDECIDED)
		leave_in_doubt(writers);
	RESUME_INTERRUPTS();
	if (decision == KLUSTER_DECIDED_ABORT)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("transaction %s was aborted by the cluster manager before it could be committed", current.name),
				 errhint("Run the transaction again.")));
	if (decision == KLUSTER_UNDECIDED)
		ereport(ERROR,
				(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
				 errmsg("the metadata server does not answer: the outcome of transaction %s is unknown", current.name),
				 errhint("The cluster manager ends it as soon as the metadata server answers.")));
}

void
kluster_commit_shards(void)
{
	Participants participants = {NIL, NIL};
	ListCell   *cell;

	kluster_each_connection(collect, &participants);
	foreach(cell, participants.readers)
		end_reader(lfirst(cell));
	if (list_length(participants.writers) == 1 && !kluster_work_is_open())
		commit_in_one_phase(linitial(participants.writers));
	else if (participants.writers != NIL)
		commit_in_two_phases(participants.writers);
	else if (kluster_work_is_open() && !kluster_work_commit(0))
		ereport(ERROR,
				(errcode(ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN),
				 errmsg("the metadata server does not answer: the definitions of this transaction may be committed"),
				 errhint("When they are, this compute node follows as soon as the metadata server answers.")));
	foreach(cell, participants.readers)
		release_reader(lfirst(cell));
	current.name[0] = '\0';
}

/* The answer to XA PREPARE is still due, or was lost: the branch may be prepared. */
static void
undo_prepare(KlusterConnection *connection)
{
	MemoryContext caller = CurrentMemoryContext;
	char		sql[64];

	if (connection->mysql != NULL && connection->in_reply && !kluster_receive(connection, kluster_cleanup_end()))
		kluster_drop(connection);
	snprintf(sql, sizeof(sql), "XA ROLLBACK '%s'", connection->xid);
	PG_TRY();
	{
		if (connection->mysql == NULL)
			kluster_reopen(connection);
		if (!kluster_try_execute(connection, sql, kluster_cleanup_end()))
			kluster_drop(connection);
	}
	PG_CATCH();
	{
		/* The resolver does it. */
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
}

void
kluster_undo_branch(KlusterConnection *connection)
{
	char		sql[128];

	kluster_settle(connection, kluster_cleanup_end());
	if (connection->mysql == NULL)
		return;
	snprintf(sql, sizeof(sql), "XA END '%s'; XA ROLLBACK '%s'", connection->xid, connection->xid);
	if (kluster_try_execute(connection, sql, kluster_cleanup_end()))
		return;
	/* After a deadlock XA END fails, and XA ROLLBACK is due; whatever else it was, the end of the connection ends the branch. */
	snprintf(sql, sizeof(sql), "XA ROLLBACK '%s'", connection->xid);
	if (connection->mysql == NULL || !kluster_try_execute(connection, sql, kluster_cleanup_end()))
		kluster_drop(connection);
}

static void
roll_back(KlusterConnection *connection, void *argument)
{
	if (connection->prepared == KLUSTER_PREPARING || connection->prepared == KLUSTER_PREPARED)
		undo_prepare(connection);
	else if (connection->prepared == KLUSTER_ENDING)
		kluster_drop(connection);
	else if (connection->begun)
		kluster_undo_branch(connection);
	else
		kluster_settle(connection, kluster_cleanup_end());
	kluster_forget_transaction(connection);
}

void
kluster_roll_back_shards(void)
{
	kluster_each_connection(roll_back, NULL);
	current.name[0] = '\0';
}
