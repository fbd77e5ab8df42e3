/*
 * row_digest.c: which rows a statement has changed already.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "row_digest.h"

/* 128 bits: two rows with the same are not to be expected. */
typedef struct RowDigest
{
	uint64		high;
	uint64		low;
} RowDigest;

HTAB *
kluster_make_digests(void)
{
	HASHCTL		control = {.keysize = sizeof(RowDigest), .entrysize = sizeof(RowDigest), .hcxt = CurrentMemoryContext};

	return hash_create("kluster changed rows", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static RowDigest
digest_of(const char *text, int length)
{
	RowDigest	digest = {
		.high = DatumGetUInt64(hash_any_extended((const unsigned char *) text, length, 1)),
		.low = DatumGetUInt64(hash_any_extended((const unsigned char *) text, length, 2)),
	};

	return digest;
}

bool
kluster_is_noted(HTAB *digests, const char *text, int length)
{
	RowDigest	digest = digest_of(text, length);

	return hash_search(digests, &digest, HASH_FIND, NULL) != NULL;
}

bool
kluster_note(HTAB *digests, const char *text, int length)
{
	RowDigest	digest = digest_of(text, length);
	bool		found;

	(void) hash_search(digests, &digest, HASH_ENTER, &found);
	return !found;
}
