import { clusterId, machineId, shardId } from '../../core/ids.ts';
import type { Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { readClusterAccounts } from '../topology/accounts.ts';
import { placeOf, type Growing } from './growing.ts';
import type { AddNodesPrepared } from './prepared.ts';

/** All nodes of all shards in one transaction, as being created: the health loop leaves them alone. */
export function recordNodes(prepared: AddNodesPrepared, growing: readonly Growing[]): Step<Services> {
  const { settings } = prepared;
  return {
    kind: 'step',
    key: 'record',
    title: 'record the nodes in the catalog',
    deadlineMs: 60_000,
    async run(context) {
      const { services, signal } = context;
      const { database, storageNodes } = services.catalog;
      const cluster = clusterId(prepared.clusterId);
      const { monitor } = await readClusterAccounts(services, cluster, signal);
      const nodeIds = await database.write(async (sql) => {
        const shards: number[][] = [];
        for (const one of growing) {
          const ids: number[] = [];
          for (const [index, place] of one.shard.nodes.entries()) {
            const { instanceId, hostaddr, port } = placeOf(context, one, index + 1);
            const id = await storageNodes.insert(sql, {
              clusterId: cluster,
              shardId: shardId(one.shard.shardId),
              machineId: machineId(place.machineId),
              instanceId,
              hostaddr,
              port,
              memberState: 'replica',
              status: 'creating',
              memoryMb: one.order.sizing.storage.memoryMb,
              bufferPoolMb: settings.innodb_size ?? 0,
              cpuCores: settings.cpu_cores ?? 0,
              maximumStorageGb: settings.max_storage_size ?? 0,
              monitor,
            });
            ids.push(id);
          }
          shards.push(ids);
        }
        return shards;
      }, signal);
      return { nodeIds };
    },
    async undo({ services, signal }) {
      const { database, storageNodes } = services.catalog;
      await database.write(async (sql) => {
        for (const { shard, order } of growing) {
          const nodes = await storageNodes.list(sql, { shardId: shardId(shard.shardId) });
          const mine = new Set(
            shard.nodes.map((_, index) => order.instanceOf(clusterId(prepared.clusterId), index + 1)),
          );
          for (const node of nodes) {
            if (mine.has(node.instanceId)) await storageNodes.remove(sql, node.id);
          }
        }
      }, signal);
    },
  };
}
