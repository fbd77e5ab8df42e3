/*
 * deferral.h: changes of a statement that wait for its end.
 *
 * A statement of PostgreSQL does not see its own changes. Scans that run before the first change, or have been started
 * by then, cannot. But a scan that runs again for each row (a correlated subquery, the inner side of a nested loop)
 * would see what was changed for the rows before. When a statement has such scans, what it changes row by row is
 * kept, on disk if it is much, and sent in the same order when all rows have been read.
 */
#ifndef KLUSTER_DEFERRAL_H
#define KLUSTER_DEFERRAL_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "targets.h"

/* Keeps a change for the end of the statement. `one_row`: it must not affect more than one. */
extern void kluster_defer(EState *estate, const KlusterChange *change, bool one_row);

/* Sends what the statement has kept. Once its rows have been read; nothing to do is fine. */
extern void kluster_send_deferred(EState *estate);

/* An error when a change of a row by its key has affected several. */
extern void kluster_require_one_row(Oid relation, uint64 affected);

#endif
