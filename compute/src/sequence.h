/*
 * sequence.h: sequences whose values no two compute nodes give out.
 */
#ifndef KLUSTER_SEQUENCE_H
#define KLUSTER_SEQUENCE_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* ALTER SEQUENCE has been executed: what was reserved is not valid any more. */
extern void kluster_sequence_altered(const AlterSeqStmt *statement);

/* TRUNCATE ... RESTART IDENTITY of the tables has been executed here; the sequences start anew everywhere. */
extern void kluster_identities_restarted(List *relations);

/* COPY would number rows by itself in this column: refused by name. */
extern void kluster_check_copy(const CopyStmt *statement);

/* Called once, while the module is loaded. */
extern void kluster_sequence_init(void);

#endif
