/*
 * row_movement.h: UPDATE that moves a row to another partition.
 */
#ifndef KLUSTER_ROW_MOVEMENT_H
#define KLUSTER_ROW_MOVEMENT_H

#include "postgres.h"

#include "modify_state.h"

/*
 * Stores the row, which `target` may not contain any more, in the partition that it belongs to now. The caller has deleted
 * the old one. An error when no partition takes it, or the one that does is not on a shard.
 */
extern void kluster_store_moved(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *row);

/* An error when triggers would have to see the row go and come. */
extern void kluster_require_movable(ResultRelInfo *target);

#endif
