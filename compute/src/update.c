/*
 * update.c: the objects of the extension follow the library that the server was started with.
 *
 * A newer build replaces the files under a running server, which goes on with the library it has loaded: no catalog
 * changes, and CREATE DATABASE copies template1 as it is. When the server is started again, it has the new library, and
 * its launcher brings every database to the library's version before clients are admitted (ddl_admission.c). Database
 * postgres is the last: when it has the version, all have it. What fails is tried again, and told in the server's log.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "shared_memory.h"
#include "update.h"
#include "worker.h"

#define EXTENSION "kluster"
#define HOME_DATABASE "postgres"

extern PGDLLEXPORT void kluster_updater_main(Datum argument);

/* What an updater tells the launcher. */
static bool *updated = NULL;

static void
begin(void)
{
	bool		found;

	updated = ShmemInitStruct("kluster update", sizeof(*updated), &found);
	*updated = false;
}

void
kluster_update_init(void)
{
	kluster_share(sizeof(*updated), NULL, begin);
}

/* Does this database have the extension in another version? */
static bool
is_outdated(void)
{
	bool		outdated;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute("SELECT FROM pg_catalog.pg_extension WHERE extname = '" EXTENSION "' AND extversion <> '" KLUSTER_VERSION "'",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "cannot read pg_extension");
	outdated = SPI_processed > 0;
	PopActiveSnapshot();
	SPI_finish();
	return outdated;
}

/* In the database that this process is connected to. */
static void
update_here(void)
{
	StartTransactionCommand();
	if (is_outdated())
	{
		SPI_connect();
		PushActiveSnapshot(GetTransactionSnapshot());
		if (SPI_execute("ALTER EXTENSION " EXTENSION " UPDATE TO '" KLUSTER_VERSION "'", false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "cannot update the extension");
		PopActiveSnapshot();
		SPI_finish();
		ereport(LOG, (errmsg("the objects of extension " EXTENSION " have been updated to version " KLUSTER_VERSION)));
	}
	CommitTransactionCommand();
}

void
kluster_updater_main(Datum argument)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(MyBgworkerEntry->bgw_extra, NULL, 0);
	update_here();
	*updated = true;
	proc_exit(0);
}

static bool
run_updater(const char *database)
{
	KlusterErrand errand = {
		.function = "kluster_updater_main",
		.what = "updater",
		.database = database,
		.order = database,
		.length = strlen(database) + 1
	};

	*updated = false;
	if (!kluster_run_worker(&errand))
		return false;
	if (!*updated)
		ereport(LOG,
				(errmsg("the extension could not be updated in database \"%s\"", database),
				 errdetail("Clients are not admitted before that; superusers are.")));
	return *updated;
}

/* The databases that take connections, without database postgres. */
static List *
other_databases(MemoryContext context)
{
	Relation	catalog = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(catalog, 0, NULL);
	HeapTuple	tuple;
	List	   *names = NIL;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext caller = MemoryContextSwitchTo(context);

		if (database->datallowconn && strcmp(NameStr(database->datname), HOME_DATABASE) != 0)
			names = lappend(names, pstrdup(NameStr(database->datname)));
		MemoryContextSwitchTo(caller);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	return names;
}

bool
kluster_update_databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	bool		all = true;
	List	   *names = NIL;
	ListCell   *cell;
	bool		outdated;

	StartTransactionCommand();
	outdated = is_outdated();
	if (outdated)
		names = other_databases(context);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	foreach(cell, names)
		all = run_updater(lfirst(cell)) && all;
	if (outdated && all)
		update_here();
	MemoryContextSwitchTo(context);
	list_free_deep(names);
	return all;
}
