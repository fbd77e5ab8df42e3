/*
 * global_transaction.c: names for transactions.
 *
 * A name is made of the second in which it was made and a counter that all
 * backends share and that starts anywhere: after a restart within the same second
 * it does not repeat what it gave out before, as good as never; and should
 * it, XA START of the second one fails, or the unique key of the commit log refuses it.
 */
#include "postgres.h"

#include <time.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"

#include "global_transaction.h"
#include "shared_memory.h"
#include "topology.h"

static pg_atomic_uint32 *counter = NULL;

static void
begin(void)
{
	bool		found;
	uint32		start;

	counter = ShmemInitStruct("kluster transactions", sizeof(*counter), &found);
	if (!found)
	{
		if (!pg_strong_random(&start, sizeof(start)))
			start = (uint32) time(NULL);
		pg_atomic_init_u32(counter, start);
	}
}

void
kluster_global_transaction_init(void)
{
	kluster_share(sizeof(*counter), NULL, begin);
}

void
kluster_name_transaction(KlusterGlobalTransaction *transaction)
{
	transaction->comp_id = kluster_topology()->comp_id;
	transaction->seconds = (uint32) time(NULL);
	transaction->local = pg_atomic_fetch_add_u32(counter, 1);
	snprintf(transaction->name, sizeof(transaction->name), "%u-%u-%u", transaction->comp_id, transaction->seconds,
			 transaction->local);
}

uint64
kluster_transaction_number(const KlusterGlobalTransaction *transaction)
{
	return ((uint64) transaction->seconds << 32) | transaction->local;
}
