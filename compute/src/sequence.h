/*
 * sequence.h: sequences whose values no two compute nodes give out.
 */
#ifndef KLUSTER_SEQUENCE_H
#define KLUSTER_SEQUENCE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"

/* ALTER SEQUENCE is about to be executed: makes it what can be executed wherever this compute node has counted to. */
extern void kluster_adapt_sequence_change(AlterSeqStmt *statement);

/* ALTER SEQUENCE has been executed: what was reserved is not valid any more. */
extern void kluster_sequence_altered(const AlterSeqStmt *statement);

/* The statement for the metadata server that the sequence is where this PostgreSQL has it; NULL when it is not there (any more). */
extern char *kluster_sequence_position(Oid relid);

/* A dump is about to read where the sequence is: makes that where the cluster is, after which nothing was given. */
extern void kluster_sequence_dumped(Oid relid);

/* TRUNCATE ... RESTART IDENTITY of the tables has been executed here; the sequences start anew everywhere. */
extern void kluster_identities_restarted(List *relations);

/*
 * COPY numbers rows by itself in identity columns that it does not name, without regard to the cluster. A COPY begins: notes
 * these columns, to be numbered anew; refused by name when something looks at them before.
 */
extern void kluster_note_copy(const CopyStmt *statement);

/* Those of the table that is being copied; NULL: none. */
extern Bitmapset *kluster_copied_identities(Oid relid);

/* Numbers the row of a COPY. */
extern void kluster_set_identities(Relation relation, Bitmapset *columns, TupleTableSlot *row);

/* Called once, while the module is loaded. */
extern void kluster_sequence_init(void);

#endif
