import { clusterId, shardId, storageNodeId } from '../../core/ids.ts';
import { makeReadOnly } from '../../engines/mysql/read-only.ts';
import { parallel, pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { removalStep } from '../topology/removal.ts';
import { tellComputeNodes } from '../topology/tell-compute-nodes.ts';
import { requireEmpty } from './empty-shard.ts';
import type { DeleteShardPrepared } from './prepared.ts';

/**
 * Close the shard for writes, and look once more that it holds nothing → from here on only forward → the catalog forgets
 * it, in one transaction → compute nodes are told → the nodes are removed.
 */
export function deleteShardPlan(prepared: DeleteShardPrepared): Group<Services> {
  const { shardName, clusterName } = prepared;
  return serial('delete_shard', `delete ${shardName} of ${clusterName}`, [
    close(prepared),
    pointOfNoReturn,
    forget(prepared),
    tellComputeNodes(prepared.comps),
    parallel(
      'nodes',
      `remove the nodes of ${shardName}`,
      prepared.nodes.map(({ place }) => removalStep(place, `${shardName} of ${clusterName}`)),
    ),
  ]);
}

/** A node that is marked as deleted is none that the health loop opens again. */
function close(prepared: DeleteShardPrepared): Step<Services> {
  const shard = shardId(prepared.shardId);
  return {
    kind: 'step',
    key: 'close',
    title: `close ${prepared.shardName} for writes`,
    deadlineMs: 150_000,
    run: (context) =>
      context.services.shards.alone(shard, async () => {
        const { database, storageNodes } = context.services.catalog;
        await database.write(async (sql) => {
          for (const { nodeId } of prepared.nodes) {
            await storageNodes.setStatus(sql, storageNodeId(nodeId), 'deleted');
          }
        }, context.signal);
        await requireEmpty(context, prepared, makeReadOnly);
        return null;
      }),
    // Afterwards the health loop looks at the shard at once, and opens it.
    undo: ({ services, signal }) =>
      services.shards.alone(shard, async () => {
        const { database, storageNodes } = services.catalog;
        await database.write(async (sql) => {
          for (const { nodeId, status } of prepared.nodes) {
            await storageNodes.setStatus(sql, storageNodeId(nodeId), status);
          }
        }, signal);
      }),
  };
}

function forget(prepared: DeleteShardPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'forget',
    title: `remove ${prepared.shardName} from the catalog`,
    deadlineMs: 60_000,
    async run({ services, signal }) {
      const { database, shards, storageNodes, topologyLog, clusters } = services.catalog;
      const cluster = clusterId(prepared.clusterId);
      await database.write(async (sql) => {
        for (const { nodeId } of prepared.nodes) await storageNodes.remove(sql, storageNodeId(nodeId));
        await shards.remove(sql, shardId(prepared.shardId));
        await topologyLog.record(sql, cluster);
        const left = await shards.list(sql, cluster);
        await clusters.changeMemo(sql, cluster, { shards: String(left.length) });
      }, signal);
      return null;
    },
  };
}
