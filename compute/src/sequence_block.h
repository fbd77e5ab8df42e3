/*
 * sequence_block.h: the values of a sequence that this compute node may give out.
 */
#ifndef KLUSTER_SEQUENCE_BLOCK_H
#define KLUSTER_SEQUENCE_BLOCK_H

#include "postgres.h"

typedef struct KlusterBlock
{
	int64		first;
	int64		last;			/* in the direction of the increment */
} KlusterBlock;

typedef struct KlusterSequence
{
	Oid			relid;
	char	   *label;
	char	   *key;			/* names it in the whole cluster; a rename does not change it */
	int64		start;
	int64		increment;
	int64		minimum;
	int64		maximum;
	bool		cycles;
} KlusterSequence;

extern bool kluster_block_contains(const KlusterBlock *block, int64 value);

/* The block of this compute node; false: none. */
extern bool kluster_block_of(Oid relid, KlusterBlock *block);
extern void kluster_keep_block(Oid relid, const KlusterBlock *block);
extern void kluster_forget_block(Oid relid);

/* Makes the table of the metadata database when it is missing: not within a MySQL transaction. */
extern void kluster_prepare_sequences(void);

/* Reserves up to `count` values at the metadata server. An error when the sequence has no more. */
extern KlusterBlock kluster_reserve_block(const KlusterSequence *sequence, int count);

/* The statement for the metadata server that makes `value` the next one. */
extern char *kluster_restart_text(const KlusterSequence *sequence, int64 value);

/* Asks for shared memory; called once, while the module is loaded. */
extern void kluster_sequence_block_init(void);

#endif
