/*
 * topology_worker.c: the background worker that publishes the stored topology
 * when the server starts. Sessions that need it wait for that.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

#include "topology_shared.h"

/* The database that holds the topology. */
#define HOME_DATABASE "postgres"

extern PGDLLEXPORT void kluster_topology_worker_main(Datum argument);

void
kluster_register_topology_worker(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "kluster", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "kluster_topology_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "kluster topology loader", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "kluster topology loader", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* Publishes the stored document; there may be none, and the extension may not be there yet. */
static void
publish_stored_topology(void)
{
	SPI_connect();
	if (SPI_execute("SELECT FROM pg_catalog.pg_extension WHERE extname = 'kluster'", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "cannot read pg_extension");
	if (SPI_processed == 1)
	{
		if (SPI_execute("SELECT document::text, generation::text FROM kluster.topology", true, 1) != SPI_OK_SELECT)
			elog(ERROR, "cannot read kluster.topology");
		if (SPI_processed == 1)
		{
			char	   *document = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
			char	   *generation = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

			kluster_publish_topology(document, strlen(document), strtoull(generation, NULL, 10));
		}
	}
	SPI_finish();
}

void
kluster_topology_worker_main(Datum argument)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(HOME_DATABASE, NULL, 0);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	publish_stored_topology();
	PopActiveSnapshot();
	CommitTransactionCommand();
	kluster_note_topology_loaded();

	/*
	 * A worker that ends well is not started again, not even after a crash of a
	 * backend has emptied shared memory. So it stays.
	 */
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
