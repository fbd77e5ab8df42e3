/*
 * upsert.h: INSERT ... ON CONFLICT DO UPDATE.
 */
#ifndef KLUSTER_UPSERT_H
#define KLUSTER_UPSERT_H

#include "postgres.h"

#include "modify_state.h"

/* For rows of the table; `arbiter` is its index that the statement names. */
extern struct KlusterUpsert *kluster_begin_upsert(KlusterModify *modify, ResultRelInfo *target, Oid arbiter);

/* Stores one row: the row that is there now, or NULL when the WHERE of DO UPDATE left the old one alone. */
extern TupleTableSlot *kluster_upsert(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *proposed);

#endif
