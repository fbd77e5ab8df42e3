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
	int64		count;			/* of values */
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

/* Does this compute node have a block? What is left of it may be nothing. */
extern bool kluster_has_block(Oid relid);

/* Takes the right to draw one value of the block from PostgreSQL's sequence; false: none is left. */
extern bool kluster_take_from_block(Oid relid);

/* What the block has is what is left of it. Another sequence may lose its block for want of room. */
extern void kluster_keep_block(Oid relid, const KlusterBlock *block);
extern void kluster_forget_block(Oid relid);

/* Reserves up to `count` values at the metadata server, of a short sequence fewer. An error when it has no more. */
extern KlusterBlock kluster_reserve_block(const KlusterSequence *sequence, int count);

/* Where the cluster is: `value` has been given, or comes next; false: nothing was reserved yet. */
extern bool kluster_read_position(const KlusterSequence *sequence, int64 *value, bool *given);

/* Makes the cluster go on from there, as setval() does. */
extern void kluster_store_position(const KlusterSequence *sequence, int64 value, bool given);

/* Stores where the sequence begins, if nothing was reserved yet. */
extern void kluster_store_beginning(const KlusterSequence *sequence);

/* The statement for the metadata server that `value` is the next one, or, when it has been `given`, that the one after it is. */
extern char *kluster_position_text(const KlusterSequence *sequence, int64 value, bool given);

/* Asks for shared memory; called once, while the module is loaded. */
extern void kluster_sequence_block_init(void);

#endif
