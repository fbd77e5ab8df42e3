/*
 * ddl_replay.c: the processes that follow the log of definitions.
 *
 * The launcher lives as long as the server, connected to database postgres. It
 * looks at the log, and for a run of entries of one database it starts an
 * applier, which is connected to that database and ends when it has applied
 * them. Entries are applied in the order of the log, over all databases.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "ddl_applied.h"
#include "ddl_failure.h"
#include "ddl_replay.h"
#include "ddl_settings.h"
#include "ddl_shared.h"
#include "ddl_store.h"
#include "topology.h"
#include "update.h"
#include "worker.h"

#define HOME_DATABASE "postgres"

/* Entries that are looked at together. */
#define BATCH 500

/* Between two reports, when there is nothing new. */
#define REPORT_MILLISECONDS 1000

/* Before the log is looked at again when it could not be read, or an entry fails (ddl_failure.c has longer pauses for that one). */
#define RETRY_MILLISECONDS 1000

extern PGDLLEXPORT void kluster_ddl_launcher_main(Datum argument);
extern PGDLLEXPORT void kluster_ddl_applier_main(Datum argument);

/* What an applier is told; fits into bgw_extra. */
typedef struct Order
{
	char		database[NAMEDATALEN];
	uint64		after;
	uint64		up_to;
} Order;

/* Notes why an entry cannot be applied, and fails. */
static void
give_up(const KlusterLoggedEntry *entry, MemoryContext context)
{
	ErrorData  *failure;

	MemoryContextSwitchTo(context);
	failure = CopyErrorData();
	kluster_ddl_note_failure(entry->id, entry->database, entry->source, failure->message);
	PG_RE_THROW();
}

bool
kluster_needs_no_replay(Node *statement)
{
	if (IsA(statement, CreateRoleStmt))
		return OidIsValid(get_role_oid(castNode(CreateRoleStmt, statement)->role, true));
	if (IsA(statement, CreatedbStmt))
		return OidIsValid(get_database_oid(castNode(CreatedbStmt, statement)->dbname, true));
	return false;
}

void
kluster_ddl_applier_main(Datum argument)
{
	Order		order;
	MemoryContext context;
	List	   *entries;
	ListCell   *cell;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(order.database, NULL, 0);
	context = AllocSetContextCreate(TopMemoryContext, "kluster applier", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	StartTransactionCommand();
	if (!OidIsValid(get_extension_oid("kluster", true)))
	{
		kluster_ddl_note_failure(order.after + 1, order.database, "", "the database has no extension kluster");
		ereport(ERROR, (errmsg("database \"%s\" has no extension kluster", order.database)));
	}
	MemoryContextSwitchTo(context);
	entries = kluster_store_entries(order.after, order.up_to, order.database, BATCH);
	CommitTransactionCommand();
	foreach(cell, entries)
	{
		const KlusterLoggedEntry *entry = lfirst(cell);

		pgstat_report_activity(STATE_RUNNING, entry->source);
		debug_query_string = entry->source;
		PG_TRY();
		{
			kluster_apply(entry);
		}
		PG_CATCH();
		{
			give_up(entry, context);
		}
		PG_END_TRY();
		kluster_ddl_set_applied(entry->id);
	}
	proc_exit(0);
}

/* Applies a run of entries of one database; false when it failed. */
static bool
run_applier(const Order *order)
{
	KlusterErrand errand = {
		.function = "kluster_ddl_applier_main",
		.what = "applier",
		.database = order->database,
		.order = order,
		.length = sizeof(*order)
	};

	return kluster_run_worker(&errand) && kluster_ddl_progress().applied >= order->up_to;
}

static bool
database_exists(const char *name)
{
	bool		exists;

	StartTransactionCommand();
	exists = OidIsValid(get_database_oid(name, true));
	CommitTransactionCommand();
	return exists;
}

static void
store_position(uint64 id)
{
	StartTransactionCommand();
	kluster_store_node_applied(id);
	CommitTransactionCommand();
}

/* Applies what is in the list; false when an entry failed. */
static bool
apply_entries(List *entries)
{
	int			i = 0;

	while (i < list_length(entries))
	{
		const KlusterLoggedEntry *first = list_nth(entries, i);
		Order		order = {.after = first->id - 1};

		strlcpy(order.database, first->database, NAMEDATALEN);
		for (; i < list_length(entries); i++)
		{
			const KlusterLoggedEntry *entry = list_nth(entries, i);

			if (strcmp(entry->database, first->database) != 0)
				break;
			order.up_to = entry->id;
		}
		/* An own definition may have moved the position meanwhile. */
		if (kluster_ddl_progress().applied >= order.up_to)
			continue;
		/* A database that is not here was dropped by this node itself, after these entries. */
		if (!database_exists(order.database))
			kluster_ddl_note_applied(order.up_to);
		else if (kluster_ddl_has_to_pause(order.after) || !run_applier(&order))
			return false;
	}
	return true;
}

/* Looks at the log once; false when an entry failed. */
static bool
look_at_log(void)
{
	static uint64 stored = 0;
	static TimestampTz reported = 0;
	uint64		newest;
	uint64		applied = kluster_ddl_progress().applied;
	bool		good = true;
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	newest = kluster_store_newest();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	kluster_ddl_note_newest(newest);
	if (newest > applied)
	{
		List	   *entries;

		StartTransactionCommand();
		MemoryContextSwitchTo(context);
		entries = kluster_store_entries(applied, newest, NULL, BATCH);
		CommitTransactionCommand();
		MemoryContextSwitchTo(context);
		good = apply_entries(entries);
	}
	applied = kluster_ddl_progress().applied;
	if (applied != stored)
		store_position(applied);
	if (applied != stored || TimestampDifferenceExceeds(reported, GetCurrentTimestamp(), REPORT_MILLISECONDS))
	{
		StartTransactionCommand();
		kluster_store_report(applied);
		CommitTransactionCommand();
		reported = GetCurrentTimestamp();
	}
	stored = applied;
	if (good && applied >= newest)
		kluster_ddl_note_following();
	return good;
}

/* The same, with whatever goes wrong in the log of the server. */
static bool
look_safely(MemoryContext context)
{
	volatile bool good = false;

	PG_TRY();
	{
		good = look_at_log();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	return good;
}

bool
kluster_can_follow(void)
{
	const KlusterTopology *topology = kluster_topology_if_set();

	return topology != NULL && topology->metadata_host != NULL;
}

static void
read_position(void)
{
	StartTransactionCommand();
	if (OidIsValid(get_extension_oid("kluster", true)))
		kluster_ddl_set_applied(kluster_node_applied());
	CommitTransactionCommand();
}

void
kluster_ddl_launcher_main(Datum argument)
{
	MemoryContext context;
	bool		current = false;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(HOME_DATABASE, NULL, 0);
	kluster_ddl_register_launcher();
	context = AllocSetContextCreate(TopMemoryContext, "kluster launcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	read_position();
	for (;;)
	{
		long		pause;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		MemoryContextSwitchTo(context);
		current = current || kluster_update_databases();
		pause = current ? kluster_ddl_poll_interval : RETRY_MILLISECONDS;
		if (current && kluster_can_follow() && !look_safely(context))
			pause = RETRY_MILLISECONDS;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

void
kluster_replay_init(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "kluster", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "kluster_ddl_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "kluster definitions launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "kluster definitions launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
