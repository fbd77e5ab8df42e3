import { clusterId, shardId, storageNodeId } from '../../core/ids.ts';
import { colonAddress } from '../../core/model.ts';
import { pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { drain } from '../topology/drain.ts';
import { restartRetry } from '../topology/instances.ts';
import { removalStep } from '../topology/removal.ts';
import { readShard, replicaOf } from '../topology/shard-now.ts';
import { tellComputeNodes } from '../topology/tell-compute-nodes.ts';
import type { DeleteNodePrepared } from './prepared.ts';

/**
 * The node stops taking part, once others have all that it has → from here on only forward → it is removed → the catalog
 * forgets it → compute nodes are told.
 */
export function deleteNodePlan(prepared: DeleteNodePrepared): Group<Services> {
  const what = `${colonAddress(prepared.place)} of ${prepared.shardName} of ${prepared.clusterName}`;
  return serial('delete_node', `delete ${what}`, [
    withdraw(prepared, what),
    pointOfNoReturn,
    removalStep(prepared.place, `node ${what}`),
    forget(prepared, what),
    tellComputeNodes(prepared.comps),
  ]);
}

function withdraw(prepared: DeleteNodePrepared, what: string): Step<Services> {
  const node = storageNodeId(prepared.nodeId);
  return {
    kind: 'step',
    key: 'withdraw',
    title: `take ${what} out, once others have what it has`,
    deadlineMs: 180_000,
    retry: restartRetry,
    async run({ services, signal }) {
      const { catalog, shards } = services;
      const shard = shardId(prepared.shardId);
      // The health loop would make it follow again.
      await shards.alone(shard, async () => {
        const now = await readShard(services, shard, signal);
        await drain(now, replicaOf(now, node), signal);
        await catalog.database.write((sql) => catalog.storageNodes.setStatus(sql, node, 'deleted'), signal);
      });
      return null;
    },
    async undo({ services, signal }) {
      const { database, storageNodes } = services.catalog;
      // The health loop makes a node that serves take part again.
      await database.write((sql) => storageNodes.setStatus(sql, node, prepared.formerStatus), signal);
    },
  };
}

function forget(prepared: DeleteNodePrepared, what: string): Step<Services> {
  return {
    kind: 'step',
    key: 'forget',
    title: `remove ${what} from the catalog`,
    deadlineMs: 60_000,
    async run({ services, signal }) {
      const { database, storageNodes, clusters } = services.catalog;
      const cluster = clusterId(prepared.clusterId);
      await database.write(async (sql) => {
        await storageNodes.remove(sql, storageNodeId(prepared.nodeId));
        const nodes = await storageNodes.list(sql, { clusterId: cluster });
        // Consoles show one number: that of most nodes of a shard.
        const counts = nodes.map((node) => nodes.filter((other) => other.shardId === node.shardId).length);
        await clusters.changeMemo(sql, cluster, { nodes: String(Math.max(...counts)) });
      }, signal);
      return null;
    },
  };
}
