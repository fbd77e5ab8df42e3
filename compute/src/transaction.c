/*
 * transaction.c: PostgreSQL transactions on the shards.
 */
#include "postgres.h"

#include <mysqld_error.h>

#include "access/xact.h"
#include "utils/timestamp.h"

#include "remote.h"
#include "topology.h"
#include "transaction.h"

/* Time that ending a remote transaction may take when there is an error already. */
#define CLEANUP_MILLISECONDS 5000

static TimestampTz
cleanup_end(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CLEANUP_MILLISECONDS);
}

static const char *
remote_isolation(void)
{
	if (XactIsoLevel <= XACT_READ_COMMITTED)
		return "READ COMMITTED";
	return XactIsoLevel == XACT_REPEATABLE_READ ? "REPEATABLE READ" : "SERIALIZABLE";
}

KlusterConnection *
kluster_connection(uint32 shard, KlusterAccess access)
{
	KlusterConnection *connection = kluster_reach(KLUSTER_DATA, shard);

	if (connection->doomed)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("%s has rolled this transaction back", connection->label),
				 errhint("Roll the transaction back, and run it again.")));
	if (access == KLUSTER_READ && !connection->active && !IsolationUsesXactSnapshot())
		return connection;
	if (!connection->active)
	{
		connection->active = true;
		connection->depth = 1;
		appendStringInfo(&connection->preamble, "SET TRANSACTION ISOLATION LEVEL %s; START TRANSACTION; ",
						 remote_isolation());
	}
	for (; connection->depth < GetCurrentTransactionNestLevel(); connection->depth++)
		appendStringInfo(&connection->preamble, "SAVEPOINT s%d; ", connection->depth + 1);
	if (access == KLUSTER_WRITE)
		connection->written = true;
	return connection;
}

static void
forget(KlusterConnection *connection)
{
	connection->active = false;
	connection->written = false;
	connection->doomed = false;
	connection->depth = 0;
	resetStringInfo(&connection->preamble);
}

void
kluster_fail(KlusterConnection *connection, const char *sql)
{
	if (mysql_errno(connection->mysql) == ER_LOCK_DEADLOCK)
		connection->doomed = true;
	kluster_raise(connection, sql);
}

void
kluster_lost(KlusterConnection *connection)
{
	connection->doomed = connection->active;
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("%s: the connection was lost", connection->label)));
}

static void
commit(KlusterConnection *connection, void *argument)
{
	if (connection->key.purpose != KLUSTER_DATA || !connection->active)
		return;
	if (connection->doomed || connection->mysql == NULL)
		kluster_lost(connection);
	if (connection->preamble.len == 0)
		kluster_execute(connection, "COMMIT", NULL);
	forget(connection);
}

static void
roll_back(KlusterConnection *connection, void *argument)
{
	bool		begun = connection->active && connection->preamble.len == 0;

	kluster_settle(connection, cleanup_end());
	if (begun && connection->mysql != NULL && !kluster_try_execute(connection, "ROLLBACK", cleanup_end()))
		kluster_drop(connection);
	forget(connection);
}

static void
at_transaction_event(XactEvent event, void *argument)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			kluster_each_connection(commit, NULL);
			break;
		case XACT_EVENT_ABORT:
			kluster_each_connection(roll_back, NULL);
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

	kluster_settle(connection, cleanup_end());
	if (connection->depth < level)
		return;
	snprintf(sql, sizeof(sql), "ROLLBACK TO SAVEPOINT s%d", level);
	resetStringInfo(&connection->preamble);
	if (connection->mysql == NULL || !kluster_try_execute(connection, sql, cleanup_end()))
		connection->doomed = true;
	connection->depth = level - 1;
}

static void
leave(KlusterConnection *connection, void *argument)
{
	connection->depth = Min(connection->depth, GetCurrentTransactionNestLevel() - 1);
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
	RegisterXactCallback(at_transaction_event, NULL);
	RegisterSubXactCallback(at_subtransaction_event, NULL);
}
