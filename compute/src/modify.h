/*
 * modify.h: INSERT, and UPDATE and DELETE row by row.
 */
#ifndef KLUSTER_MODIFY_H
#define KLUSTER_MODIFY_H

#include "postgres.h"

#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

extern List *kluster_plan_modify(PlannerInfo *root, ModifyTable *plan, Index table, int subplan);
extern void kluster_begin_modify(ModifyTableState *state, ResultRelInfo *target, List *private, int subplan, int flags);
extern void kluster_begin_insert(ModifyTableState *state, ResultRelInfo *target);
extern TupleTableSlot *kluster_insert(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot **kluster_insert_batch(EState *estate, ResultRelInfo *target, TupleTableSlot **slots,
											 TupleTableSlot **plan_slots, int *count);

/* Rows that one statement for the shard stores at most. */
extern int	kluster_batch_rows(ResultRelInfo *target);

/* Rows that PostgreSQL has to keep for kluster_insert_batch(): those that are collected as text need no copies. */
extern int	kluster_copied_rows(ResultRelInfo *target);
extern TupleTableSlot *kluster_update(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot *kluster_delete(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void kluster_end_modify(EState *estate, ResultRelInfo *target);
extern void kluster_explain_modify(ModifyTableState *state, ResultRelInfo *target, List *private, int subplan,
								   ExplainState *explain);
extern void kluster_modify_end_init(void);
extern void kluster_truncate(List *relations, DropBehavior behavior, bool restart_sequences);

/* direct_modify.c: UPDATE and DELETE as one statement. */
extern bool kluster_plan_direct(PlannerInfo *root, ModifyTable *plan, Index table, int subplan);
extern void kluster_begin_direct(ForeignScanState *node, int flags);
extern TupleTableSlot *kluster_iterate_direct(ForeignScanState *node);
extern void kluster_end_direct(ForeignScanState *node);
extern void kluster_explain_direct(ForeignScanState *node, ExplainState *explain);

#endif
