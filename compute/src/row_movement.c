/*
 * row_movement.c: UPDATE that moves a row to another partition.
 *
 * PostgreSQL moves rows between its own tables only, but finds the partition for a row as well when a foreign data
 * wrapper asks. To it the row is inserted; that it was deleted from another partition before is our business.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/tupconvert.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "utils/rel.h"

#include "modify.h"
#include "row_movement.h"

void
kluster_require_movable(ResultRelInfo *target)
{
	TriggerDesc *triggers = target->ri_TrigDesc;

	if (triggers != NULL &&
		(triggers->trig_delete_before_row || triggers->trig_delete_after_row || triggers->trig_insert_before_row ||
		 triggers->trig_insert_after_row || triggers->trig_update_after_row))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("UPDATE cannot move a row of \"%s\" into another partition, because of row triggers",
						RelationGetRelationName(target->ri_RelationDesc)),
				 errhint("Delete the row and insert it again.")));
}

static void
prepare_routing(ModifyTableState *state)
{
	MemoryContext caller;
	Relation	root = state->rootResultRelInfo->ri_RelationDesc;

	if (state->mt_partition_tuple_routing != NULL)
		return;
	caller = MemoryContextSwitchTo(state->ps.state->es_query_cxt);
	state->mt_partition_tuple_routing = ExecSetupPartitionTupleRouting(state->ps.state, root);
	if (state->mt_root_tuple_slot == NULL)
		state->mt_root_tuple_slot = table_slot_create(root, NULL);
	MemoryContextSwitchTo(caller);
}

static TupleConversionMap *
map_to_partition(ResultRelInfo *partition, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecGetRootToChildMap(partition, estate);
#else
	return partition->ri_RootToPartitionMap;
#endif
}

void
kluster_store_moved(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *row)
{
	ModifyTableState *state = modify->state;
	EState	   *estate = modify->estate;
	TupleConversionMap *map = ExecGetChildToRootMap(target);
	ResultRelInfo *partition;

	prepare_routing(state);
	if (map != NULL)
		row = execute_attr_map_slot(map->attrMap, row, state->mt_root_tuple_slot);
	partition = ExecFindPartition(state, state->rootResultRelInfo, state->mt_partition_tuple_routing, row, estate);
	kluster_require_movable(partition);
	if (partition->ri_FdwRoutine == NULL || partition->ri_FdwRoutine->ExecForeignInsert != kluster_insert)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("UPDATE cannot move a row into \"%s\", which is not on a shard",
						RelationGetRelationName(partition->ri_RelationDesc)),
				 errhint("Delete the row and insert it again.")));
	map = map_to_partition(partition, estate);
	if (map != NULL)
		row = execute_attr_map_slot(map->attrMap, row, partition->ri_PartitionTupleSlot);
	(void) kluster_insert(estate, partition, row, NULL);
}
