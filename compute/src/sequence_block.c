/*
 * sequence_block.c: the values of a sequence that this compute node may give out:
 * in shared memory, and reserved at the metadata server.
 */
#include "postgres.h"

#include "common/int.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

#include "connection.h"
#include "quote.h"
#include "sequence_block.h"
#include "topology.h"

/* Sequences that can have a block at a time; one without reserves a single value each time. */
#define BLOCKS 8192

#define TRANCHE "kluster sequences"

typedef struct Key
{
	Oid			database;
	Oid			sequence;
} Key;

typedef struct Kept
{
	Key			key;
	KlusterBlock block;
} Kept;

static HTAB *blocks = NULL;
static LWLock *lock = NULL;
static shmem_startup_hook_type previous_startup = NULL;
static shmem_request_hook_type previous_request = NULL;

static void
request(void)
{
	if (previous_request)
		previous_request();
	RequestAddinShmemSpace(hash_estimate_size(BLOCKS, sizeof(Kept)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup(void)
{
	HASHCTL		control = {.keysize = sizeof(Key), .entrysize = sizeof(Kept)};

	if (previous_startup)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	blocks = ShmemInitHash("kluster sequence blocks", BLOCKS / 8, BLOCKS, &control, HASH_ELEM | HASH_BLOBS);
	lock = &GetNamedLWLockTranche(TRANCHE)->lock;
	LWLockRelease(AddinShmemInitLock);
}

void
kluster_sequence_block_init(void)
{
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

bool
kluster_block_contains(const KlusterBlock *block, int64 value)
{
	return value >= Min(block->first, block->last) && value <= Max(block->first, block->last);
}

bool
kluster_block_of(Oid relid, KlusterBlock *block)
{
	Key			key = {MyDatabaseId, relid};
	Kept	   *kept;

	LWLockAcquire(lock, LW_SHARED);
	kept = hash_search(blocks, &key, HASH_FIND, NULL);
	if (kept != NULL)
		*block = kept->block;
	LWLockRelease(lock);
	return kept != NULL;
}

void
kluster_keep_block(Oid relid, const KlusterBlock *block)
{
	Key			key = {MyDatabaseId, relid};
	Kept	   *kept;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	kept = hash_search(blocks, &key, HASH_ENTER_NULL, NULL);
	if (kept != NULL)
		kept->block = *block;
	LWLockRelease(lock);
}

void
kluster_forget_block(Oid relid)
{
	Key			key = {MyDatabaseId, relid};

	LWLockAcquire(lock, LW_EXCLUSIVE);
	(void) hash_search(blocks, &key, HASH_REMOVE, NULL);
	LWLockRelease(lock);
}

static char *
table_text(void)
{
	StringInfoData out;

	initStringInfo(&out);
	kluster_append_identifier(&out, kluster_topology()->metadata_database);
	appendStringInfoString(&out, ".kluster_shared_sequences");
	return out.data;
}

static char *
key_text(const KlusterSequence *sequence)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "cluster_id = %u AND id = ", kluster_topology()->cluster_id);
	kluster_append_literal(&out, sequence->key, strlen(sequence->key));
	return out.data;
}

static char *
upsert_text(const KlusterSequence *sequence, int64 next, bool exhausted)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "REPLACE INTO %s (cluster_id, id, next_value, exhausted) VALUES (%u, ", table_text(),
					 kluster_topology()->cluster_id);
	kluster_append_literal(&out, sequence->key, strlen(sequence->key));
	appendStringInfo(&out, ", " INT64_FORMAT ", %d)", next, exhausted ? 1 : 0);
	return out.data;
}

char *
kluster_restart_text(const KlusterSequence *sequence, int64 value)
{
	return upsert_text(sequence, value, false);
}

void
kluster_prepare_sequences(void)
{
	static bool made = false;

	if (made)
		return;
	kluster_execute(kluster_metadata_connection(),
					psprintf("CREATE TABLE IF NOT EXISTS %s (cluster_id int unsigned NOT NULL, id varchar(255) NOT NULL,"
							 " next_value bigint NOT NULL, exhausted tinyint NOT NULL DEFAULT 0, PRIMARY KEY (cluster_id, id))"
							 " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
							 table_text()), NULL);
	made = true;
}

/* What is next by the metadata server, whose row is locked until the end of the MySQL transaction. */
static int64
read_next(const KlusterSequence *sequence, bool *exhausted)
{
	KlusterConnection *connection = kluster_metadata_connection();
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;
	int64		next = sequence->start;

	*exhausted = false;
	kluster_execute(connection, "START TRANSACTION", NULL);
	result = kluster_query(connection, psprintf("SELECT next_value, exhausted FROM %s WHERE %s FOR UPDATE", table_text(),
												key_text(sequence)));
	while (kluster_fetch(result, &values, &lengths))
	{
		next = strtoll(values[0], NULL, 10);
		*exhausted = strcmp(values[1], "1") == 0;
	}
	kluster_close(result);
	return next;
}

static void
refuse_exhausted(const KlusterSequence *sequence)
{
	bool		up = sequence->increment > 0;

	kluster_execute(kluster_metadata_connection(), "ROLLBACK", NULL);
	ereport(ERROR,
			(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
			 errmsg("nextval: reached %s value of sequence \"%s\" (%lld)", up ? "maximum" : "minimum", sequence->label,
					(long long) (up ? sequence->maximum : sequence->minimum))));
}

static bool
is_beyond(const KlusterSequence *sequence, int64 value)
{
	return sequence->increment > 0 ? value > sequence->maximum : value < sequence->minimum;
}

KlusterBlock
kluster_reserve_block(const KlusterSequence *sequence, int count)
{
	KlusterBlock block;
	bool		exhausted;
	int64		next = 0;

	kluster_prepare_sequences();
	block.first = read_next(sequence, &exhausted);
	if (exhausted || is_beyond(sequence, block.first))
	{
		if (!sequence->cycles)
			refuse_exhausted(sequence);
		block.first = sequence->increment > 0 ? sequence->minimum : sequence->maximum;
	}
	block.last = block.first;
	exhausted = false;
	for (int i = 0; i < count; i++)
	{
		exhausted = pg_add_s64_overflow(block.last, sequence->increment, &next) || is_beyond(sequence, next);
		if (exhausted || i == count - 1)
			break;
		block.last = next;
	}
	kluster_execute(kluster_metadata_connection(), upsert_text(sequence, exhausted ? block.last : next, exhausted), NULL);
	kluster_execute(kluster_metadata_connection(), "COMMIT", NULL);
	return block;
}
