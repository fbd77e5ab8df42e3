/*
 * shared_memory.c: what the processes of a server share.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "shared_memory.h"

#define MOST_PLACES 8

typedef struct Place
{
	Size		size;
	const char *tranche;
	void		(*begin) (void);
} Place;

static Place places[MOST_PLACES];
static int	place_count = 0;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void
request(void)
{
	if (previous_request)
		previous_request();
	for (int i = 0; i < place_count; i++)
	{
		RequestAddinShmemSpace(MAXALIGN(places[i].size));
		if (places[i].tranche != NULL)
			RequestNamedLWLockTranche(places[i].tranche, 1);
	}
}

static void
startup(void)
{
	if (previous_startup)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < place_count; i++)
		places[i].begin();
	LWLockRelease(AddinShmemInitLock);
}

void
kluster_share(Size size, const char *tranche, void (*begin) (void))
{
	if (place_count == MOST_PLACES)
		elog(ERROR, "there are more than %d places in shared memory", MOST_PLACES);
	if (place_count == 0)
	{
		previous_request = shmem_request_hook;
		shmem_request_hook = request;
		previous_startup = shmem_startup_hook;
		shmem_startup_hook = startup;
	}
	places[place_count++] = (Place) {.size = size, .tranche = tranche, .begin = begin};
}
