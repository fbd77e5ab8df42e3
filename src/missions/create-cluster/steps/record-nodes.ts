import type { Sql } from '../../../catalog/sql.ts';
import type { ClusterId, ComputeNodeId } from '../../../core/ids.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts, type ClusterAccounts } from '../../topology/accounts.ts';
import type { Context, ShardOrder } from '../../topology/orders.ts';
import { recordComputeNode } from '../../topology/record-compute-node.ts';
import { recordShard, type RecordedShard, type ShardRecord } from '../../topology/record-shard.ts';
import { registeredId, type ClusterOrder } from '../context.ts';
import { stepPaths } from '../prepared.ts';

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
        for (const shard of order.shards)
          shards.push(await recordShard(context, sql, shardRecord(recorder, shard)));
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

function shardRecord({ order, accounts }: Recorder, shard: ShardOrder): ShardRecord {
  const { paras } = order;
  return {
    order: shard,
    accounts,
    status: 'creating',
    degrade: {
      enabled: paras.conf_degrade_state === 'ON',
      afterSeconds: paras.conf_degrade_time ?? defaultDegradeSeconds,
    },
    bufferPoolMb: paras.innodb_size,
    cpuCores: paras.cpu_cores,
    maximumStorageGb: paras.max_storage_size,
  };
}

async function recordComputeNodes(
  { context, order, accounts }: Recorder,
  sql: Sql,
): Promise<readonly ComputeNodeId[]> {
  const ids: ComputeNodeId[] = [];
  for (const comp of order.comps) {
    const node = await recordComputeNode(context, sql, {
      order: comp,
      path: stepPaths.computeNode(comp.index),
      accounts,
      maximumConnections: order.paras.max_connections,
      cpuCores: order.paras.cpu_cores,
    });
    ids.push(node.id);
  }
  return ids;
}
