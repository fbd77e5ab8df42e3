/*
 * topology.c: the topology in shared memory, and this backend's copy of it.
 *
 * Shared memory holds the document as text: it is short, changes rarely, and
 * every backend reads it once per change. A publication takes the lock, so a
 * reader never sees half of one; the version tells whether there was one.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "shared_memory.h"
#include "topology.h"
#include "topology_json.h"
#include "topology_shared.h"

/* Room for the document: some thousand storage nodes. */
#define DOCUMENT_ROOM (1024 * 1024)

/* How long a session waits for the worker that loads the topology at start. */
#define LOADING_MILLISECONDS 30000

typedef struct SharedTopology
{
	LWLock	   *lock;
	pg_atomic_uint64 version;	/* publications so far */
	pg_atomic_uint32 loaded;	/* the stored topology was read after the start */
	uint64		generation;		/* of the document; protected by the lock, like all below */
	Size		length;			/* 0: no topology was ever set */
	ConditionVariable changed;
	char		document[DOCUMENT_ROOM];
} SharedTopology;

static SharedTopology *shared = NULL;

/* This backend's copy, and the version it was made from. */
static MemoryContext copy_context = NULL;
static KlusterTopology *copy = NULL;
static uint64 copy_version = 0;

static void
begin(void)
{
	bool		found;

	shared = ShmemInitStruct("kluster topology", sizeof(SharedTopology), &found);
	if (!found)
	{
		shared->lock = &GetNamedLWLockTranche("kluster_topology")->lock;
		pg_atomic_init_u64(&shared->version, 0);
		pg_atomic_init_u32(&shared->loaded, 0);
		shared->generation = 0;
		shared->length = 0;
		ConditionVariableInit(&shared->changed);
	}
}

void
kluster_topology_init(void)
{
	kluster_share(sizeof(SharedTopology), "kluster_topology", begin);
	kluster_register_topology_worker();
}

void
kluster_check_topology_size(Size length)
{
	if (length > DOCUMENT_ROOM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("topology: %zu bytes exceed the limit of %d", length, DOCUMENT_ROOM)));
}

/* Whoever waits for a server looks whether it is still the one to wait for: a primary that was replaced may never answer. */
static void
wake_everybody(void)
{
	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
	{
		PGPROC	   *process = GetPGProcByNumber(i);

		if (process->pid != 0)
			SetLatch(&process->procLatch);
	}
}

void
kluster_publish_topology(const char *document, Size length, uint64 generation)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->length == 0 || generation >= shared->generation)
	{
		memcpy(shared->document, document, length);
		shared->length = length;
		shared->generation = generation;
		pg_atomic_fetch_add_u64(&shared->version, 1);
	}
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&shared->changed);
	wake_everybody();
}

void
kluster_note_topology_loaded(void)
{
	pg_atomic_write_u32(&shared->loaded, 1);
	ConditionVariableBroadcast(&shared->changed);
}

uint64
kluster_topology_version(void)
{
	return pg_atomic_read_u64(&shared->version);
}

/* Sleeps until `done` returns true, at most so many milliseconds; true when it did. */
static bool
sleep_until(bool (*done) (uint64), uint64 argument, long milliseconds)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);

	ConditionVariablePrepareToSleep(&shared->changed);
	while (!done(argument))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		if (left <= 0)
			break;
		ConditionVariableTimedSleep(&shared->changed, left, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return done(argument);
}

static bool
version_differs(uint64 seen)
{
	return kluster_topology_version() != seen;
}

static bool
is_loaded(uint64 unused)
{
	return pg_atomic_read_u32(&shared->loaded) != 0;
}

bool
kluster_await_topology(uint64 seen, long milliseconds)
{
	return sleep_until(version_differs, seen, milliseconds);
}

/* Makes this backend's copy anew. */
static void
copy_document(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "kluster topology", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	char	   *document = NULL;
	KlusterTopology *fresh = NULL;
	uint64		version;

	LWLockAcquire(shared->lock, LW_SHARED);
	version = pg_atomic_read_u64(&shared->version);
	if (shared->length > 0)
		document = pnstrdup(shared->document, shared->length);
	LWLockRelease(shared->lock);
	if (document != NULL)
		fresh = kluster_read_topology(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(document))));
	MemoryContextSwitchTo(caller);
	if (copy_context != NULL)
		MemoryContextDelete(copy_context);
	copy_context = context;
	copy = fresh;
	copy_version = version;
}

const KlusterTopology *
kluster_topology_if_set(void)
{
	if (!is_loaded(0) && !sleep_until(is_loaded, 0, LOADING_MILLISECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_CANNOT_CONNECT_NOW),
				 errmsg("the topology of the cluster is still being loaded"),
				 errhint("Look into the server log for what keeps \"kluster topology loader\" from its work.")));
	if (copy_context == NULL || copy_version != kluster_topology_version())
		copy_document();
	return copy;
}

const KlusterTopology *
kluster_topology(void)
{
	const KlusterTopology *topology = kluster_topology_if_set();

	if (topology == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this compute node does not belong to a cluster yet"),
				 errhint("The manager tells it where the shards are when the cluster is created.")));
	return topology;
}

const KlusterShard *
kluster_find_shard(const KlusterTopology *topology, uint32 id)
{
	int			low = 0;
	int			high = topology->shard_count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (topology->shards[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < topology->shard_count && topology->shards[low].id == id ? &topology->shards[low] : NULL;
}
