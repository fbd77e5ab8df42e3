/*
 * ddl_failure.c: an entry of the log of definitions that cannot be applied here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "ddl_applied.h"
#include "ddl_failure.h"
#include "ddl_shared.h"
#include "shared_memory.h"

PG_FUNCTION_INFO_V1(kluster_show_ddl_failure);
PG_FUNCTION_INFO_V1(kluster_retry_ddl);
PG_FUNCTION_INFO_V1(kluster_skip_ddl);

/* The pause doubles from here ... */
#define SHORTEST_PAUSE_MILLISECONDS 1000

/* ... this often. */
#define DOUBLINGS 5

typedef struct Shared
{
	LWLock	   *lock;
	KlusterDdlFailure failure;
} Shared;

static Shared *shared = NULL;

static void
begin(void)
{
	bool		found;

	shared = ShmemInitStruct("kluster definition failure", sizeof(Shared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		shared->lock = &GetNamedLWLockTranche("kluster definition failure")->lock;
	}
}

void
kluster_ddl_failure_init(void)
{
	kluster_share(sizeof(Shared), "kluster definition failure", begin);
}

KlusterDdlFailure
kluster_ddl_failure(void)
{
	KlusterDdlFailure failure;

	LWLockAcquire(shared->lock, LW_SHARED);
	failure = shared->failure;
	LWLockRelease(shared->lock);
	return failure;
}

static void
keep_text(char *target, Size room, const char *text)
{
	int			length = pg_mbcliplen(text, (int) strlen(text), (int) room - 1);

	memcpy(target, text, length);
	target[length] = '\0';
}

void
kluster_ddl_note_failure(uint64 id, const char *database, const char *statement, const char *error)
{
	KlusterDdlFailure *failure = &shared->failure;
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (failure->id != id)
	{
		failure->attempts = 0;
		failure->since = now;
	}
	failure->id = id;
	failure->next = TimestampTzPlusMilliseconds(now, SHORTEST_PAUSE_MILLISECONDS << Min(failure->attempts, DOUBLINGS));
	failure->attempts++;
	keep_text(failure->database, sizeof(failure->database), database);
	keep_text(failure->statement, sizeof(failure->statement), statement);
	keep_text(failure->error, sizeof(failure->error), error);
	LWLockRelease(shared->lock);
}

void
kluster_ddl_forget_failure(uint64 applied)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (applied >= shared->failure.id)
		shared->failure.id = 0;
	LWLockRelease(shared->lock);
}

bool
kluster_ddl_has_to_pause(uint64 after)
{
	KlusterDdlFailure failure = kluster_ddl_failure();

	return failure.id > after && failure.next > GetCurrentTimestamp();
}

static void
try_again_now(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->failure.next = 0;
	LWLockRelease(shared->lock);
	kluster_ddl_wake_launcher();
}

static void
require_superuser(const char *what)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to %s", what)));
}

Datum
kluster_show_ddl_failure(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	KlusterDdlFailure failure = kluster_ddl_failure();
	bool		nulls[7] = {false};
	Datum		values[7];

	InitMaterializedSRF(fcinfo, 0);
	if (failure.id == 0)
		return (Datum) 0;
	values[0] = Int64GetDatum((int64) failure.id);
	values[1] = CStringGetTextDatum(failure.database);
	values[2] = CStringGetTextDatum(failure.statement);
	values[3] = CStringGetTextDatum(failure.error);
	values[4] = Int32GetDatum(failure.attempts);
	values[5] = TimestampTzGetDatum(failure.since);
	values[6] = TimestampTzGetDatum(failure.next);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

Datum
kluster_retry_ddl(PG_FUNCTION_ARGS)
{
	require_superuser("try a definition again");
	try_again_now();
	PG_RETURN_VOID();
}

static void
record_skip(const KlusterDdlFailure *failure, text *reason)
{
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[] = {Int64GetDatum((int64) failure->id), CStringGetTextDatum(failure->statement),
	CStringGetTextDatum(failure->error), PointerGetDatum(reason)};

	SPI_connect();
	if (SPI_execute_with_args("INSERT INTO kluster.ddl_skipped (op_id, statement, error, reason) VALUES ($1, $2, $3, $4)",
							  4, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "cannot write kluster.ddl_skipped");
	SPI_finish();
}

Datum
kluster_skip_ddl(PG_FUNCTION_ARGS)
{
	uint64		id = (uint64) PG_GETARG_INT64(0);
	text	   *reason = PG_GETARG_TEXT_PP(1);
	KlusterDdlFailure failure = kluster_ddl_failure();

	require_superuser("leave a definition out");
	if (failure.id != id || id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("entry " UINT64_FORMAT " of the log of definitions does not fail on this compute node", id),
				 errhint("SELECT * FROM kluster.ddl_failure() tells which one does.")));
	if (strcmp(failure.database, get_database_name(MyDatabaseId)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("entry " UINT64_FORMAT " of the log of definitions is about database \"%s\"", id, failure.database),
				 errhint("Connect to that database.")));
	kluster_lock_applying();
	if (kluster_applied() >= id)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("entry " UINT64_FORMAT " of the log of definitions has been applied meanwhile", id)));
	record_skip(&failure, reason);
	kluster_store_applied(id);
	ereport(LOG,
			(errmsg("entry " UINT64_FORMAT " of the log of definitions is left out by \"%s\": %s", id,
					GetUserNameFromId(GetUserId(), false), text_to_cstring(reason)),
			 errdetail("It failed with: %s", failure.error)));
	/* It waits for the lock of this transaction. */
	try_again_now();
	PG_RETURN_VOID();
}
