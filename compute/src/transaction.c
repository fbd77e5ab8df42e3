/*
 * transaction.c: the remote transactions of a PostgreSQL transaction: when they
 * begin, their savepoints, and what breaks them. Their end is in two_phase.c.
 *
 * Every remote transaction is an XA branch: a branch can be committed in one phase when
 * it is the only one, at the price of an ordinary COMMIT, and MySQL cannot make
 * a branch of a transaction that began otherwise. It begins with the first statement
 * that needs it, and travels in the same packet.
 *
 * Isolation. READ COMMITTED: the same in MySQL; a read needs no remote
 * transaction before this one wrote to the shard. REPEATABLE READ of a READ ONLY
 * transaction: a snapshot per shard, taken by its first statement there. All
 * others of REPEATABLE READ and SERIALIZABLE: SERIALIZABLE in MySQL, which locks
 * what is read until the end: MySQL's REPEATABLE READ lets two transactions
 * overwrite each other's changes, PostgreSQL's does not. As branches keep all locks until
 * the decision, this is serializable over all shards.
 *
 * Savepoint s<n> is set before the first statement at nesting level n. It needs
 * no release: setting it again replaces it.
 */
#include "postgres.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include "access/xact.h"
#include "utils/timestamp.h"

#include "global_transaction.h"
#include "remote.h"
#include "settings.h"
#include "topology.h"
#include "transaction.h"
#include "violation.h"

/* Time that one step of a cleanup after an error may take. */
#define CLEANUP_MILLISECONDS 5000

/* Before a statement is sent again to a server that refused it, unless the topology changes. */
#define RETRY_MILLISECONDS 200

TimestampTz
kluster_cleanup_end(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CLEANUP_MILLISECONDS);
}

/* NULL: that of the session, READ COMMITTED (connection.c). */
static const char *
remote_isolation(void)
{
	if (XactIsoLevel <= XACT_READ_COMMITTED)
		return NULL;
	if (XactIsoLevel == XACT_REPEATABLE_READ && XactReadOnly)
		return "REPEATABLE READ";
	return "SERIALIZABLE";
}

/* An error when the server has rolled back what this transaction did there, or part of it that an outer level relies on. */
static void
check_alive(KlusterConnection *connection)
{
	if (connection->doomed || (connection->begun && connection->mysql == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("%s has rolled back what this transaction did there", connection->label),
				 errhint("Roll the transaction back, and run it again.")));
	if (connection->failure != NULL)
		ReThrowError(connection->failure);
}

KlusterConnection *
kluster_connection(uint32 shard, KlusterAccess access)
{
	KlusterConnection *connection = kluster_reach(KLUSTER_DATA, shard);

	check_alive(connection);
	if (access == KLUSTER_READ && !connection->active && !IsolationUsesXactSnapshot())
		return connection;
	if (!connection->active)
	{
		connection->active = true;
		connection->level = GetCurrentTransactionNestLevel();
	}
	if (access == KLUSTER_WRITE)
		connection->written = true;
	return connection;
}

void
kluster_append_preamble(KlusterConnection *connection, StringInfo out)
{
	if (!connection->active)
		return;
	if (!connection->begun)
	{
		const char *isolation = remote_isolation();

		kluster_name_branch(connection);
		if (isolation != NULL)
			appendStringInfo(out, "SET TRANSACTION ISOLATION LEVEL %s; ", isolation);
		appendStringInfo(out, "XA START '%s'; ", connection->xid);
		connection->begun = true;
		connection->depth = 1;
	}
	for (; connection->depth < GetCurrentTransactionNestLevel(); connection->depth++)
		appendStringInfo(out, "SAVEPOINT s%d; ", connection->depth + 1);
}

void
kluster_forget_transaction(KlusterConnection *connection)
{
	connection->active = false;
	connection->begun = false;
	connection->written = false;
	connection->doomed = false;
	kluster_forget_failure(connection);
	connection->prepared = KLUSTER_NOT_PREPARED;
	connection->level = 0;
	connection->depth = 0;
}

/* Did the server end the whole transaction, and not only the statement? */
static bool
is_fatal(unsigned int code)
{
	return code == ER_LOCK_DEADLOCK || kluster_is_connection_failure(code);
}

/* May the statement succeed on another server, or on this one a little later? */
static bool
is_passing(unsigned int code)
{
	return code == ER_OPTION_PREVENTS_STATEMENT || code == ER_XAER_DUPID || kluster_is_connection_failure(code);
}

bool
kluster_prepare_repetition(KlusterConnection *connection, TimestampTz *since)
{
	unsigned int code = kluster_error_code(connection);
	TimestampTz now = GetCurrentTimestamp();
	uint64		version = connection->version;

	if (connection->key.purpose != KLUSTER_DATA || !is_passing(code))
		return false;
	if (*since == 0)
		*since = now;
	if (TimestampDifferenceExceeds(*since, now, Max(kluster_failover_timeout * 1000, 1)))
		return false;
	if (connection->begun)
		kluster_undo_branch(connection);
	connection->begun = false;
	connection->depth = 0;
	if (kluster_is_connection_failure(code))
		kluster_drop(connection);
	else
		kluster_await_topology(version, RETRY_MILLISECONDS);
	kluster_make_ready(connection);
	return true;
}

/* Raises the error of PostgreSQL that the failure is, if it is one. */
static void
raise_violation(KlusterConnection *connection)
{
	Oid			relation = connection->blamed;
	TupleTableSlot *row = connection->blamed_row;

	kluster_blame(connection, InvalidOid, NULL);
	if (OidIsValid(relation))
		kluster_raise_violation(relation, row, kluster_error_code(connection), pstrdup(mysql_error(connection->mysql)));
}

void
kluster_fail(KlusterConnection *connection, const char *sql)
{
	if (connection->mysql == NULL)
		kluster_lost(connection);
	if (connection->begun && is_fatal(kluster_error_code(connection)))
		connection->doomed = true;
	raise_violation(connection);
	kluster_raise(connection, sql);
}

void
kluster_lost(KlusterConnection *connection)
{
	if (connection->begun)
		connection->doomed = true;
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("%s: %s", connection->label, kluster_loss(connection)),
			 connection->given_up ? errhint("Run the transaction again.") : 0));
}

static void
refuse_prepare(KlusterConnection *connection, void *argument)
{
	if (connection->active)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("PREPARE TRANSACTION is not possible for a transaction that used tables of shards"),
				 errhint("COMMIT is atomic over all shards.")));
}

static void
at_transaction_event(XactEvent event, void *argument)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			kluster_commit_shards();
			break;
		case XACT_EVENT_PRE_PREPARE:
			kluster_each_connection(refuse_prepare, NULL);
			break;
		case XACT_EVENT_ABORT:
			kluster_roll_back_shards();
			break;
		default:
			break;
	}
}

static void
roll_back_to(KlusterConnection *connection, void *argument)
{
	int			level = GetCurrentTransactionNestLevel();
	char		sql[64];

	if (connection->failure_level >= level)
		kluster_forget_failure(connection);
	if (!kluster_outlives(connection, level))
		kluster_settle(connection, kluster_cleanup_end());
	if (connection->begun && connection->depth >= level)
	{
		snprintf(sql, sizeof(sql), "ROLLBACK TO SAVEPOINT s%d", level);
		if (connection->mysql == NULL || !kluster_try_execute(connection, sql, kluster_cleanup_end()))
			connection->doomed = true;
		connection->depth = level - 1;
	}
	if (!connection->begun && connection->level >= level)
		kluster_forget_transaction(connection);
	connection->level = Min(connection->level, level - 1);
}

static void
leave(KlusterConnection *connection, void *argument)
{
	int			outer = GetCurrentTransactionNestLevel() - 1;

	connection->depth = Min(connection->depth, outer);
	connection->level = Min(connection->level, outer);
	connection->reply_level = Min(connection->reply_level, outer);
	connection->failure_level = Min(connection->failure_level, outer);
}

static void
at_subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *argument)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		kluster_each_connection(roll_back_to, NULL);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		kluster_each_connection(leave, NULL);
}

void
kluster_transaction_init(void)
{
	kluster_global_transaction_init();
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
}
