/*
 * sequence.h: sequences whose values no two compute nodes give out.
 */
#ifndef KLUSTER_SEQUENCE_H
#define KLUSTER_SEQUENCE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"

/* ALTER SEQUENCE has been executed: what was reserved is not valid any more. */
extern void kluster_sequence_altered(const AlterSeqStmt *statement);

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
