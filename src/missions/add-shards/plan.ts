import { clusterId, instanceId } from '../../core/ids.ts';
import { parallel, pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { readClusterAccounts } from '../topology/accounts.ts';
import { installShard } from '../topology/install-shard.ts';
import type { ShardOrder } from '../topology/orders.ts';
import { reachShards } from '../topology/reach-shard.ts';
import { recordShard } from '../topology/record-shard.ts';
import { nodeSizing } from '../topology/sizing.ts';
import { tellComputeNodes } from '../topology/tell-compute-nodes.ts';
import { stepPaths, type AddShardsPrepared } from './prepared.ts';

/**
 * Each new shard is installed, replicates and proves it → compute nodes prove that they reach it → from here on only
 * forward, because from its record on users may have tables on it → record, in one transaction → tell the compute nodes.
 */
export function addShardsPlan(prepared: AddShardsPrepared): Group<Services> {
  const orders = shardOrders(prepared);
  return serial('add_shards', `add shards to ${prepared.clusterName}`, [
    parallel('install', 'install the shards', orders.map(installShard)),
    parallel(
      'reach',
      'check that compute nodes reach the shards',
      prepared.comps.map((comp) => reachShards(orders, comp)),
    ),
    pointOfNoReturn,
    record(prepared, orders),
    tellComputeNodes(prepared.comps),
  ]);
}

function shardOrders({ settings, ...prepared }: AddShardsPrepared): readonly ShardOrder[] {
  const sizing = nodeSizing({ ...settings, comps: prepared.comps.length });
  return prepared.shards.map((shard) => ({
    clusterName: prepared.clusterName,
    haMode: prepared.haMode,
    fullsyncLevel: settings.fullsync_level ?? 0,
    sizing,
    name: shard.name,
    groupName: shard.groupName,
    nodes: shard.nodes,
    parent: stepPaths.install,
    clusterOf: () => clusterId(prepared.clusterId),
    instanceOf: (_, node) => instanceId(`${shard.instancePrefix}-node${String(node)}`),
  }));
}

function record(prepared: AddShardsPrepared, orders: readonly ShardOrder[]): Step<Services> {
  return {
    kind: 'step',
    key: 'record',
    title: 'record the shards in the catalog',
    deadlineMs: 60_000,
    async run(context) {
      const { services, signal } = context;
      const cluster = clusterId(prepared.clusterId);
      const accounts = await readClusterAccounts(services, cluster, signal);
      const { settings } = prepared;
      const shardIds = await services.catalog.database.write(async (sql) => {
        const { shards, clusters, topologyLog } = services.catalog;
        const [first] = await shards.list(sql, cluster);
        const ids: number[] = [];
        for (const order of orders) {
          const shard = await recordShard(context, sql, {
            order,
            accounts,
            status: 'active',
            degrade: first?.degrade ?? { enabled: false, afterSeconds: 0 },
            bufferPoolMb: settings.innodb_size,
            cpuCores: settings.cpu_cores,
            maximumStorageGb: settings.max_storage_size,
          });
          ids.push(shard.id);
        }
        await topologyLog.record(sql, cluster);
        await clusters.changeMemo(sql, cluster, {
          shards: String((await shards.list(sql, cluster)).length),
        });
        return ids;
      }, signal);
      return { shardIds };
    },
  };
}
