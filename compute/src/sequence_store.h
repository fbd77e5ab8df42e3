/*
 * sequence_store.h: which sequence of this database is which of the cluster.
 */
#ifndef KLUSTER_SEQUENCE_STORE_H
#define KLUSTER_SEQUENCE_STORE_H

#include "postgres.h"

#include "sequence_block.h"

/* Does the cluster share the values of this sequence? Not of temporary ones, and not of those made before. */
extern bool kluster_is_shared_sequence(Oid relid);

/* What the catalogs know of it; an error when it is not shared. */
extern KlusterSequence kluster_read_sequence(Oid relid);

/* Where this PostgreSQL has the sequence: the last value, or the first one when `called` is false. */
extern void kluster_local_position(Oid relid, int64 *value, bool *called);

/*
 * CACHE 1, whatever was asked for: sessions would keep values of blocks that the compute node has used up, or has
 * forgotten. The block is what CACHE is for.
 */
extern void kluster_forbid_cache(Oid relid);

/* Notes that a definition has created the relation; it may be a sequence. */
extern void kluster_note_creation(Oid relid);

/* A definition begins: what one that failed has noted is not there any more. */
extern void kluster_forget_creations(void);

/* Makes what was noted known as sequences of the cluster. Called after each definition, on replay as well. */
extern void kluster_sequences_defined(void);

#endif
