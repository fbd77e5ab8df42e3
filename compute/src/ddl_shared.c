/*
 * ddl_shared.c: how far this compute node has followed the log of definitions.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "ddl_failure.h"
#include "ddl_shared.h"
#include "shared_memory.h"

typedef struct Shared
{
	slock_t		mutex;
	KlusterDdlProgress progress;
	Latch	   *launcher;		/* NULL: not running */
	ConditionVariable changed;
} Shared;

static Shared *shared = NULL;

static void
begin(void)
{
	bool		found;

	shared = ShmemInitStruct("kluster definitions", sizeof(Shared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		SpinLockInit(&shared->mutex);
		ConditionVariableInit(&shared->changed);
	}
}

void
kluster_ddl_shared_init(void)
{
	kluster_share(sizeof(Shared), NULL, begin);
}

KlusterDdlProgress
kluster_ddl_progress(void)
{
	KlusterDdlProgress progress;

	SpinLockAcquire(&shared->mutex);
	progress = shared->progress;
	SpinLockRelease(&shared->mutex);
	return progress;
}

void
kluster_ddl_set_applied(uint64 applied)
{
	SpinLockAcquire(&shared->mutex);
	shared->progress.applied = applied;
	SpinLockRelease(&shared->mutex);
	kluster_ddl_forget_failure(applied);
	ConditionVariableBroadcast(&shared->changed);
}

void
kluster_ddl_note_applied(uint64 id)
{
	SpinLockAcquire(&shared->mutex);
	shared->progress.applied = Max(shared->progress.applied, id);
	shared->progress.newest = Max(shared->progress.newest, id);
	SpinLockRelease(&shared->mutex);
	kluster_ddl_forget_failure(kluster_ddl_progress().applied);
	ConditionVariableBroadcast(&shared->changed);
}

void
kluster_ddl_note_newest(uint64 newest)
{
	SpinLockAcquire(&shared->mutex);
	shared->progress.newest = Max(shared->progress.newest, newest);
	SpinLockRelease(&shared->mutex);
}

void
kluster_ddl_note_following(void)
{
	SpinLockAcquire(&shared->mutex);
	shared->progress.following = true;
	SpinLockRelease(&shared->mutex);
	ConditionVariableBroadcast(&shared->changed);
}

bool
kluster_ddl_await(uint64 id, int milliseconds)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	bool		reached;

	ConditionVariablePrepareToSleep(&shared->changed);
	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		reached = kluster_ddl_progress().applied >= id;
		if (reached || left <= 0)
			break;
		(void) ConditionVariableTimedSleep(&shared->changed, Min(left, 200), PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return reached;
}

void
kluster_ddl_wake_launcher(void)
{
	Latch	   *launcher;

	SpinLockAcquire(&shared->mutex);
	launcher = shared->launcher;
	SpinLockRelease(&shared->mutex);
	if (launcher != NULL)
		SetLatch(launcher);
}

static void
forget_launcher(int code, Datum argument)
{
	SpinLockAcquire(&shared->mutex);
	shared->launcher = NULL;
	SpinLockRelease(&shared->mutex);
}

void
kluster_ddl_register_launcher(void)
{
	before_shmem_exit(forget_launcher, (Datum) 0);
	SpinLockAcquire(&shared->mutex);
	shared->launcher = MyLatch;
	SpinLockRelease(&shared->mutex);
}
