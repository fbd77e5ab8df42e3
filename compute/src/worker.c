/*
 * worker.c: processes of the extension that do one thing in one database, and end.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"

#include "worker.h"

bool
kluster_run_worker(const KlusterErrand *errand)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	Assert(errand->length <= BGW_EXTRALEN);
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "kluster", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, errand->function, BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "kluster %s in %s", errand->what, errand->database);
	snprintf(worker.bgw_type, BGW_MAXLEN, "kluster %s", errand->what);
	memcpy(worker.bgw_extra, errand->order, errand->length);
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		ereport(LOG, (errmsg("no background worker is free for the %s", worker.bgw_name), errhint("Raise max_worker_processes.")));
		return false;
	}
	(void) WaitForBackgroundWorkerShutdown(handle);
	return true;
}
