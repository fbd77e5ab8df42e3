import type { Sql } from '../../../catalog/sql.ts';
import {
  machineId,
  type ClusterId,
  type ComputeNodeId,
  type ShardId,
  type StorageNodeId,
} from '../../../core/ids.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts, type ClusterAccounts } from '../../topology/accounts.ts';
import {
  computeInstance,
  registeredId,
  storageInstance,
  type ClusterOrder,
  type Context,
} from '../context.ts';
import { startedInstance, stepPaths } from '../prepared.ts';

/** Shards and nodes as rows, in one transaction; they count as being created until the last step. */
export function recordNodes(order: ClusterOrder): Step<Services> {
  return {
    kind: 'step',
    key: 'record',
    title: 'record shards and nodes in the catalog',
    deadlineMs: 60_000,
    async run(context) {
      const { services, signal } = context;
      const cluster = registeredId(context);
      const accounts = await readClusterAccounts(services, cluster, signal);
      const recorder: Recorder = { context, order, cluster, accounts };
      const recorded = await services.catalog.database.write(async (sql) => {
        const shards: RecordedShard[] = [];
        for (const index of order.prepared.shards.keys())
          shards.push(await recordShard(recorder, sql, index + 1));
        const computeNodeIds = await recordComputeNodes(recorder, sql);
        return { shards, computeNodeIds };
      }, signal);
      const { shards, computeNodeIds } = recorded;
      for (const id of computeNodeIds) {
        await services.catalog.clusterLogs.addComputeNode(order.prepared.clusterName, id, signal);
      }
      return {
        shardIds: shards.map((shard) => shard.id),
        storageNodeIds: shards.map((shard) => shard.nodeIds),
        computeNodeIds,
      };
    },
  };
}

/** Seconds; what consoles propose. */
const defaultDegradeSeconds = 25;

interface Recorder {
  readonly context: Context;
  readonly order: ClusterOrder;
  readonly cluster: ClusterId;
  readonly accounts: ClusterAccounts;
}

interface RecordedShard {
  readonly id: ShardId;
  readonly nodeIds: readonly StorageNodeId[];
}

async function recordShard(recorder: Recorder, sql: Sql, shard: number): Promise<RecordedShard> {
  const { context, order, cluster, accounts } = recorder;
  const { catalog } = context.services;
  const planned = order.prepared.shards[shard - 1];
  if (planned === undefined) throw new RangeError(`no shard ${String(shard)} in the plan`);
  const id = await catalog.shards.insert(sql, {
    clusterId: cluster,
    name: planned.name,
    fullsyncLevel: order.fullsyncLevel,
  });
  await catalog.shards.setDegradeSetting(sql, id, {
    enabled: order.paras.conf_degrade_state === 'ON',
    afterSeconds: order.paras.conf_degrade_time ?? defaultDegradeSeconds,
  });
  const nodeIds: StorageNodeId[] = [];
  for (const [index, place] of planned.nodes.entries()) {
    const { port } = context.outputOf(stepPaths.storageNode(shard, index + 1), startedInstance);
    const nodeId = await catalog.storageNodes.insert(sql, {
      clusterId: cluster,
      shardId: id,
      machineId: machineId(place.machineId),
      instanceId: storageInstance(cluster, shard, index + 1),
      hostaddr: place.hostaddr,
      port,
      memberState: index === 0 ? 'source' : 'replica',
      memoryMb: order.sizing.storage.memoryMb,
      status: 'creating',
      bufferPoolMb: order.paras.innodb_size ?? 0,
      cpuCores: order.paras.cpu_cores ?? 0,
      maximumStorageGb: order.paras.max_storage_size ?? 0,
      monitor: accounts.monitor,
    });
    nodeIds.push(nodeId);
  }
  return { id, nodeIds };
}

async function recordComputeNodes(recorder: Recorder, sql: Sql): Promise<readonly ComputeNodeId[]> {
  const { context, order, cluster, accounts } = recorder;
  const ids: ComputeNodeId[] = [];
  for (const [index, place] of order.prepared.comps.entries()) {
    const { port } = context.outputOf(stepPaths.computeNode(index + 1), startedInstance);
    const node = await context.services.catalog.computeNodes.insert(sql, {
      clusterId: cluster,
      machineId: machineId(place.machineId),
      instanceId: computeInstance(cluster, index + 1),
      hostaddr: place.hostaddr,
      port,
      status: 'creating',
      memoryMb: order.sizing.compute.memoryMb,
      maximumConnections: order.paras.max_connections ?? 0,
      cpuCores: order.paras.cpu_cores ?? 0,
      application: accounts.application,
    });
    ids.push(node.id);
  }
  return ids;
}
