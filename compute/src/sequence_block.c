/*
 * sequence_block.c: the values of a sequence that this compute node may give out:
 * how many are left, in shared memory, and reserving them at the metadata server.
 *
 * The metadata server has a row for each sequence, with the meaning of PostgreSQL's last_value and is_called:
 * `next_value`, and in `exhausted` whether it has been given, so that the one after it is next. A block is reserved by
 * changing the row from what was read, if it is still that: no lock is held, and nobody can be in the middle of it.
 */
#include "postgres.h"

#include "common/int.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

#include "connection.h"
#include "contention.h"
#include "ddl_store.h"
#include "quote.h"
#include "sequence_block.h"
#include "shared_memory.h"
#include "topology.h"

/* A block is no greater part of a sequence than that: what is lost of blocks must not use it up. */
#define SHARES 100

/* Sequences that can have a block at a time. */
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
	pg_atomic_uint64 left;		/* values that nobody has taken yet */
} Kept;

static HTAB *blocks = NULL;
static LWLock *lock = NULL;

static void
begin(void)
{
	HASHCTL		control = {.keysize = sizeof(Key), .entrysize = sizeof(Kept)};

	blocks = ShmemInitHash("kluster sequence blocks", BLOCKS / 8, BLOCKS, &control, HASH_ELEM | HASH_BLOBS);
	lock = &GetNamedLWLockTranche(TRANCHE)->lock;
}

void
kluster_sequence_block_init(void)
{
	kluster_share(hash_estimate_size(BLOCKS, sizeof(Kept)), TRANCHE, begin);
}

bool
kluster_has_block(Oid relid)
{
	Key			key = {MyDatabaseId, relid};
	bool		found;

	LWLockAcquire(lock, LW_SHARED);
	(void) hash_search(blocks, &key, HASH_FIND, &found);
	LWLockRelease(lock);
	return found;
}

bool
kluster_take_from_block(Oid relid)
{
	Key			key = {MyDatabaseId, relid};
	Kept	   *kept;
	uint64		left = 0;

	LWLockAcquire(lock, LW_SHARED);
	kept = hash_search(blocks, &key, HASH_FIND, NULL);
	if (kept != NULL)
	{
		left = pg_atomic_read_u64(&kept->left);
		while (left > 0 && !pg_atomic_compare_exchange_u64(&kept->left, &left, left - 1))
			;
	}
	LWLockRelease(lock);
	return left > 0;
}

/* Some block, preferably a used one, makes room: what is left of it is lost. */
static void
make_room(void)
{
	HASH_SEQ_STATUS scan;
	Kept	   *kept;
	Kept	   *victim = NULL;

	hash_seq_init(&scan, blocks);
	while ((kept = hash_seq_search(&scan)) != NULL)
	{
		victim = kept;
		if (pg_atomic_read_u64(&kept->left) > 0)
			continue;
		hash_seq_term(&scan);
		break;
	}
	if (victim != NULL)
		(void) hash_search(blocks, &victim->key, HASH_REMOVE, NULL);
}

void
kluster_keep_block(Oid relid, const KlusterBlock *block)
{
	Key			key = {MyDatabaseId, relid};
	Kept	   *kept;
	bool		found;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (hash_search(blocks, &key, HASH_FIND, NULL) == NULL && hash_get_num_entries(blocks) >= BLOCKS)
		make_room();
	kept = hash_search(blocks, &key, HASH_ENTER_NULL, &found);
	if (kept != NULL && found)
		pg_atomic_write_u64(&kept->left, (uint64) block->count);
	else if (kept != NULL)
		pg_atomic_init_u64(&kept->left, (uint64) block->count);
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
store_text(const char *verb, const KlusterSequence *sequence, int64 value, bool given)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "%s INTO %s (cluster_id, id, next_value, exhausted) VALUES (%u, ", verb, table_text(),
					 kluster_topology()->cluster_id);
	kluster_append_literal(&out, sequence->key, strlen(sequence->key));
	appendStringInfo(&out, ", " INT64_FORMAT ", %d)", value, given ? 1 : 0);
	return out.data;
}

char *
kluster_position_text(const KlusterSequence *sequence, int64 value, bool given)
{
	return store_text("REPLACE", sequence, value, given);
}

/* Where the sequence is by the metadata server. */
typedef struct Position
{
	bool		stored;			/* false: nobody has reserved anything yet */
	int64		value;
	bool		given;
} Position;

static Position
read_position(const KlusterSequence *sequence)
{
	Position	position = {false, sequence->start, false};
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;

	result = kluster_query(kluster_metadata_connection(),
						   psprintf("SELECT next_value, exhausted FROM %s WHERE %s", table_text(), key_text(sequence)));
	while (kluster_fetch(result, &values, &lengths))
	{
		position.stored = true;
		position.value = strtoll(values[0], NULL, 10);
		position.given = strcmp(values[1], "1") == 0;
	}
	kluster_close(result);
	return position;
}

bool
kluster_read_position(const KlusterSequence *sequence, int64 *value, bool *given)
{
	Position	position = read_position(sequence);

	*value = position.value;
	*given = position.given;
	return position.stored;
}

/* Changes the position to that `last` was given; false when it is not what it was any more. */
static bool
move_position(const KlusterSequence *sequence, const Position *position, int64 last)
{
	char	   *sql;
	uint64		changed;

	if (position->stored)
		sql = psprintf("UPDATE %s SET next_value = " INT64_FORMAT ", exhausted = 1 WHERE %s AND next_value = " INT64_FORMAT
					   " AND exhausted = %d", table_text(), last, key_text(sequence), position->value, position->given ? 1 : 0);
	else
		sql = store_text("INSERT IGNORE", sequence, last, true);
	kluster_execute(kluster_metadata_connection(), sql, &changed);
	return changed > 0;
}

static void
refuse_exhausted(const KlusterSequence *sequence)
{
	bool		up = sequence->increment > 0;

	ereport(ERROR,
			(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
			 errmsg("nextval: reached %s value of sequence \"%s\" (%lld)", up ? "maximum" : "minimum", sequence->label,
					(long long) (up ? sequence->maximum : sequence->minimum))));
}

/* The value that comes next, as PostgreSQL would find it. */
static int64
next_after(const KlusterSequence *sequence, const Position *position)
{
	bool		up = sequence->increment > 0;
	int64		next = position->value;
	bool		beyond = position->given && pg_add_s64_overflow(position->value, sequence->increment, &next);

	if (beyond || (up ? next > sequence->maximum : next < sequence->minimum))
	{
		if (!sequence->cycles)
			refuse_exhausted(sequence);
		return up ? sequence->minimum : sequence->maximum;
	}
	/* Bounds may have been changed since. */
	return up ? Max(next, sequence->minimum) : Min(next, sequence->maximum);
}

/* Up to `count` values from `first` on, within the bounds. */
static KlusterBlock
block_from(const KlusterSequence *sequence, int64 first, uint64 count)
{
	bool		up = sequence->increment > 0;
	uint64		room = up ? (uint64) sequence->maximum - (uint64) first : (uint64) first - (uint64) sequence->minimum;
	uint64		step = up ? (uint64) sequence->increment : -(uint64) sequence->increment;
	uint64		all = ((uint64) sequence->maximum - (uint64) sequence->minimum) / step;
	uint64		more = Min(room / step, Min(count, Max(all / SHARES, 1)) - 1);
	KlusterBlock block = {.first = first, .count = (int64) more + 1};

	block.last = (int64) (up ? (uint64) first + more * step : (uint64) first - more * step);
	return block;
}

static void
attempt_statement(void *sql)
{
	kluster_execute(kluster_metadata_connection(), sql, NULL);
}

void
kluster_store_position(const KlusterSequence *sequence, int64 value, bool given)
{
	kluster_insist(attempt_statement, kluster_position_text(sequence, value, given));
}

void
kluster_store_beginning(const KlusterSequence *sequence)
{
	kluster_store_prepare();
	kluster_insist(attempt_statement, store_text("INSERT IGNORE", sequence, sequence->start, false));
}

/* A block that is being reserved. */
typedef struct Reservation
{
	const KlusterSequence *sequence;
	int			count;
	KlusterBlock block;
} Reservation;

static void
attempt_reservation(void *argument)
{
	Reservation *reservation = argument;
	const KlusterSequence *sequence = reservation->sequence;
	Position	position;

	do
	{
		CHECK_FOR_INTERRUPTS();
		position = read_position(sequence);
		reservation->block = block_from(sequence, next_after(sequence, &position), (uint64) reservation->count);
	} while (!move_position(sequence, &position, reservation->block.last));
}

KlusterBlock
kluster_reserve_block(const KlusterSequence *sequence, int count)
{
	Reservation reservation = {.sequence = sequence, .count = count};

	kluster_store_prepare();
	kluster_insist(attempt_reservation, &reservation);
	return reservation.block;
}
