/*
 * commit_log.c: asking for a decision.
 *
 * The unique key (comp_node_id, txn_id) arbitrates: whoever inserts first, the
 * compute node 'commit' or the resolver 'abort', decides. When the answer to
 * our insert was lost, we insert 'abort' ourselves and then read: that insert
 * cannot succeed after the first one did, and the first one cannot succeed after it.
 */
#include "postgres.h"

#include <mysqld_error.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "commit_log.h"
#include "ddl_work.h"
#include "quote.h"
#include "remote.h"
#include "settings.h"
#include "topology.h"

/* Between two attempts to reach the metadata server. */
#define PAUSE_MICROSECONDS 200000L

/* At least so long, whatever kluster.failover_timeout says. */
#define SHORTEST_MILLISECONDS 5000L

void
kluster_open_commit_log(void)
{
	KlusterConnection *connection = kluster_metadata_connection();

	/* A result that nobody read to its end would be in the way of the decision. */
	if (connection->in_reply)
	{
		kluster_settle(connection, 0);
		kluster_metadata_connection();
	}
}

/* Inserts a decision; the error code of MySQL, 0 when it is ours, CR_* when that is not known. */
static unsigned int
insert_decision(KlusterConnection *connection, const KlusterGlobalTransaction *transaction, const char *command,
				const char *shards, TimestampTz until)
{
	StringInfoData sql;
	const KlusterTopology *topology = kluster_topology();
	unsigned int code = 0;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "INSERT INTO ");
	kluster_append_identifier(&sql, topology->metadata_database);
	appendStringInfoChar(&sql, '.');
	kluster_append_identifier(&sql, psprintf("commit_log_%s", topology->cluster_name));
	appendStringInfo(&sql, " (comp_node_id, txn_id, next_txn_cmd, written_shards) VALUES (%u, " UINT64_FORMAT ", '%s', ",
					 transaction->comp_id, kluster_transaction_number(transaction), command);
	kluster_append_literal(&sql, shards, strlen(shards));
	appendStringInfoChar(&sql, ')');
	kluster_settle(connection, until);
	if (!kluster_try_execute(connection, sql.data, until))
		code = kluster_error_code(connection);
	pfree(sql.data);
	return code;
}

/* What the log says about the transaction. */
static KlusterDecision
read_decision(KlusterConnection *connection, const KlusterGlobalTransaction *transaction)
{
	const KlusterTopology *topology = kluster_topology();
	StringInfoData sql;
	KlusterResult *result;
	KlusterDecision decision = KLUSTER_UNDECIDED;
	char	  **values;
	unsigned long *lengths;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT next_txn_cmd FROM ");
	kluster_append_identifier(&sql, topology->metadata_database);
	appendStringInfoChar(&sql, '.');
	kluster_append_identifier(&sql, psprintf("commit_log_%s", topology->cluster_name));
	appendStringInfo(&sql, " WHERE comp_node_id = %u AND txn_id = " UINT64_FORMAT, transaction->comp_id,
					 kluster_transaction_number(transaction));
	result = kluster_query(connection, sql.data);
	if (kluster_fetch(result, &values, &lengths) && values[0] != NULL)
		decision = strcmp(values[0], "commit") == 0 ? KLUSTER_DECIDED_COMMIT : KLUSTER_DECIDED_ABORT;
	kluster_close(result);
	return decision;
}

/* One attempt to find out what was decided after an insert whose answer was lost. */
static KlusterDecision
try_to_find_out(const KlusterGlobalTransaction *transaction, TimestampTz until)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile KlusterDecision decision = KLUSTER_UNDECIDED;

	PG_TRY();
	{
		KlusterConnection *connection = kluster_metadata_connection();

		switch (insert_decision(connection, transaction, "abort", "[]", until))
		{
			case 0:
				decision = KLUSTER_DECIDED_ABORT;
				break;
			case ER_DUP_ENTRY:
				decision = read_decision(connection, transaction);
				break;
			default:
				kluster_drop(connection);
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	return decision;
}

/* The same, again when MySQL ended it for the sake of others: nothing of it is left then. With definitions it is a part of their transaction. */
static unsigned int
insist_on_commit(KlusterConnection *connection, const KlusterGlobalTransaction *transaction, const char *shards, TimestampTz until)
{
	for (;;)
	{
		unsigned int code = insert_decision(connection, transaction, "commit", shards, until);

		if ((code != ER_LOCK_DEADLOCK && code != ER_LOCK_WAIT_TIMEOUT) || kluster_work_is_open() || GetCurrentTimestamp() >= until)
			return code;
	}
}

KlusterDecision
kluster_decide_commit(const KlusterGlobalTransaction *transaction, const char *shards)
{
	long		milliseconds = Max(kluster_failover_timeout * 1000L, SHORTEST_MILLISECONDS);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	KlusterConnection *connection = kluster_metadata_connection();
	KlusterDecision decision = KLUSTER_UNDECIDED;

	unsigned int code = insist_on_commit(connection, transaction, shards, until);

	/* With definitions, the insert is part of their MySQL transaction. */
	if (code == 0 && (!kluster_work_is_open() || kluster_work_commit(until)))
		return KLUSTER_DECIDED_COMMIT;
	if (code != ER_DUP_ENTRY || kluster_work_is_open())
		kluster_drop(connection);
	for (;;)
	{
		decision = try_to_find_out(transaction, until);
		if (decision != KLUSTER_UNDECIDED || GetCurrentTimestamp() >= until)
			return decision;
		pg_usleep(PAUSE_MICROSECONDS);
	}
}
