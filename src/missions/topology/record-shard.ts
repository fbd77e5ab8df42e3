import type { Sql } from '../../catalog/sql.ts';
import { machineId, type ShardId, type StorageNodeId } from '../../core/ids.ts';
import type { DegradeSetting, NodeStatus } from '../../core/model.ts';
import type { ClusterAccounts } from './accounts.ts';
import { storageNodePath, type Context, type ShardOrder } from './orders.ts';
import { startedInstance } from './places.ts';

/** What the catalog tells consoles of the nodes of a shard. */
export interface ShardRecord {
  readonly order: ShardOrder;
  readonly accounts: ClusterAccounts;
  /** `active`: they serve from now on, and their ports are used ones. */
  readonly status: NodeStatus;
  readonly degrade: DegradeSetting;
  readonly bufferPoolMb: number | undefined;
  readonly cpuCores: number | undefined;
  readonly maximumStorageGb: number | undefined;
}

export interface RecordedShard {
  readonly id: ShardId;
  readonly nodeIds: readonly StorageNodeId[];
}

/** The shard and its nodes, whose ports are the outputs of the steps that started them, as rows. May be repeated. */
export async function recordShard(context: Context, sql: Sql, record: ShardRecord): Promise<RecordedShard> {
  const { catalog } = context.services;
  const { order, accounts } = record;
  const clusterId = order.clusterOf(context);
  const id = await catalog.shards.insert(sql, {
    clusterId,
    name: order.name,
    fullsyncLevel: order.fullsyncLevel,
  });
  await catalog.shards.setDegradeSetting(sql, id, record.degrade);
  const nodeIds: StorageNodeId[] = [];
  for (const [index, place] of order.nodes.entries()) {
    const { port } = context.outputOf(storageNodePath(order, index + 1), startedInstance);
    const instance = order.instanceOf(clusterId, index + 1);
    const nodeId = await catalog.storageNodes.insert(sql, {
      clusterId,
      shardId: id,
      machineId: machineId(place.machineId),
      instanceId: instance,
      hostaddr: place.hostaddr,
      port,
      memberState: index === 0 ? 'source' : 'replica',
      memoryMb: order.sizing.storage.memoryMb,
      status: record.status,
      bufferPoolMb: record.bufferPoolMb ?? 0,
      cpuCores: record.cpuCores ?? 0,
      maximumStorageGb: record.maximumStorageGb ?? 0,
      monitor: accounts.monitor,
    });
    if (record.status === 'active') await catalog.ports.markUsed(sql, instance);
    nodeIds.push(nodeId);
  }
  return { id, nodeIds };
}
