import { clusterId, instanceId, shardId, storageNodeId } from '../../core/ids.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../../core/model.ts';
import {
  parallel,
  pointOfNoReturn,
  serial,
  type Group,
  type RetryPolicy,
  type Step,
} from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { cloneDeadlineMs, cloneNode, startForClone } from '../topology/clone-node.ts';
import { chooseSource } from '../topology/clone-source.ts';
import { copyVariables, variablesOf } from '../topology/copy-variables.ts';
import { drain } from '../topology/drain.ts';
import { restartRetry } from '../topology/instances.ts';
import { acknowledge, catchUp, catchUpDeadlineMs, joinShardGroup } from '../topology/join-shard.ts';
import type { Context, ShardOrder } from '../topology/orders.ts';
import { onNode, readShard, type NodePlace, type ShardNow } from '../topology/shard-now.ts';
import { nodeSizing } from '../topology/sizing.ts';
import { startStorageNode } from '../topology/steps/start-storage-node.ts';
import { tellComputeNodes } from '../topology/tell-compute-nodes.ts';
import { leaveGroup, ownGroupState } from '../../engines/mysql/group.ts';
import { placeOf, type Growing } from './growing.ts';
import { recordNodes } from './record-nodes.ts';
import { stepPaths, type AddNodesPrepared, type GrowingShard } from './prepared.ts';

/** A failed copy is begun anew: the source, or the node, may have been restarted in the middle of it. */
const cloneRetry: RetryPolicy = {
  attempts: 4,
  firstDelayMs: 1000,
  maximumDelayMs: 10_000,
  isPassing: (error) => !(error instanceof KlusterError) || error.kind !== 'no_clone_source',
};

/** Seconds that a replica may be behind to be copied from; then the primary is. */
const replicaDelay = 15;

/**
 * Every new node of every shard starts, is a copy, and follows without counting for anything → all are recorded at once
 * → only then they acknowledge, or join their group → serve. An error before the last step removes all of them.
 */
export function addNodesPlan(prepared: AddNodesPrepared): Group<Services> {
  const growing = prepared.shards.map((shard) => ({ shard, order: shardOrder(prepared, shard) }));
  return serial('add_nodes', `add nodes to ${prepared.clusterName}`, [
    parallel(
      'install',
      'install the nodes',
      growing.map((one) => installNodes(prepared, one)),
    ),
    recordNodes(prepared, growing),
    parallel(
      'serve',
      'let the nodes serve',
      growing.map((one) =>
        serial(
          one.shard.name,
          `let the new nodes of ${one.shard.name} serve`,
          eachNode(one, (index) => serve(one, index)),
        ),
      ),
    ),
    pointOfNoReturn,
    complete(prepared, growing),
    tellComputeNodes(prepared.comps),
  ]);
}

function shardOrder({ settings, ...prepared }: AddNodesPrepared, shard: GrowingShard): ShardOrder {
  return {
    clusterName: prepared.clusterName,
    haMode: prepared.haMode,
    fullsyncLevel: settings.fullsync_level ?? 0,
    sizing: nodeSizing({ ...settings, comps: prepared.comps.length }),
    name: shard.name,
    groupName: shard.groupName,
    nodes: shard.nodes,
    parent: stepPaths.install,
    clusterOf: () => clusterId(prepared.clusterId),
    instanceOf: (_, node) => instanceId(`${shard.instancePrefix}-n${String(node)}`),
  };
}

/** One step for each new node, which are counted from 1. */
function eachNode({ shard }: Growing, step: (index: number) => Step<Services>): readonly Step<Services>[] {
  return shard.nodes.map((_, index) => step(index + 1));
}

function installNodes({ haMode }: AddNodesPrepared, one: Growing): Group<Services> {
  const { name } = one.shard;
  return serial(name, `install nodes of ${name}`, [
    parallel(
      'nodes',
      `start the nodes of ${name}`,
      one.shard.nodes.map((place, index) => startStorageNode(one.order, place, index + 1)),
    ),
    parallel(
      'copies',
      `copy the data of ${name}`,
      eachNode(one, (index) => copy(one, index)),
    ),
    ...(haMode === 'mgr'
      ? []
      : [
          parallel(
            'follow',
            `catch up with ${name}`,
            eachNode(one, (index) => follow(one, index)),
          ),
        ]),
  ]);
}

function copy(one: Growing, index: number): Step<Services> {
  const { shard } = one;
  return {
    kind: 'step',
    key: `copy_${String(index)}`,
    title: `copy the data of ${shard.name} to its new node ${String(index)}`,
    weight: 10,
    deadlineMs: cloneDeadlineMs,
    retry: cloneRetry,
    async run(context) {
      const { services, signal } = context;
      const now = await readShard(services, shardId(shard.shardId), signal);
      const target = placeOf(context, one, index);
      const wish = { except: [], allowPrimary: true, maximumDelay: replicaDelay };
      const { hostaddr, port } = await chooseSource(now, wish, signal);
      await startForClone(context, target);
      await cloneNode(context, now, { target, source: { hostaddr, port }, limitMbPerSecond: 0 });
      await copyVariables(context, now, target, await onNode(now, now.primary, signal, variablesOf));
      return { source: colonAddress({ hostaddr, port }) };
    },
  };
}

function follow(one: Growing, index: number): Step<Services> {
  const { shard } = one;
  return {
    kind: 'step',
    key: `follow_${String(index)}`,
    title: `let new node ${String(index)} of ${shard.name} catch up`,
    deadlineMs: catchUpDeadlineMs,
    retry: restartRetry,
    async run(context) {
      const now = await readShard(context.services, shardId(shard.shardId), context.signal);
      await catchUp(context, now, placeOf(context, one, index));
      return null;
    },
  };
}

function serve(one: Growing, index: number): Step<Services> {
  const { shard } = one;
  return {
    kind: 'step',
    key: `node_${String(index)}`,
    title: `let new node ${String(index)} of ${shard.name} serve`,
    deadlineMs: catchUpDeadlineMs,
    retry: restartRetry,
    async run(context) {
      const { services, signal } = context;
      const now = await readShard(services, shardId(shard.shardId), signal);
      const target = placeOf(context, one, index);
      if (now.cluster.haMode === 'mgr') {
        await joinShardGroup(now, target, signal);
        await setStatus(context, now, target, 'active');
        return null;
      }
      await catchUp(context, now, target);
      // From here on a failover asks the node; only then may it acknowledge.
      await setStatus(context, now, target, 'active');
      await acknowledge(now, target, signal);
      return null;
    },
    async undo(context) {
      const { services, signal } = context;
      const now = await readShard(services, shardId(shard.shardId), signal);
      const target = placeOf(context, one, index);
      const node = rowOf(now, target);
      if (node === undefined) return;
      // Before it is a node of the shard no more, others must have what it acknowledged.
      if (node.status === 'active') await drain(now, node, signal);
      else if (now.cluster.haMode === 'mgr') {
        await onNode(now, target, signal, async (session) => {
          if ((await ownGroupState(session)) !== 'OFFLINE') await leaveGroup(session);
        });
      }
      await setStatus(context, now, target, 'deleted');
    },
  };
}

function rowOf(now: ShardNow, target: NodePlace): StorageNode | undefined {
  return now.nodes.find((node) => node.instanceId === target.instanceId);
}

async function setStatus(
  { services, signal }: Context,
  now: ShardNow,
  target: NodePlace,
  status: StorageNode['status'],
): Promise<void> {
  const { catalog } = services;
  const node = rowOf(now, target);
  if (node === undefined) throw new KlusterError('metadata', `${target.instanceId} is not in the catalog`);
  await catalog.database.write(
    (sql) => catalog.storageNodes.setStatus(sql, storageNodeId(node.id), status),
    signal,
  );
}

function complete(prepared: AddNodesPrepared, growing: readonly Growing[]): Step<Services> {
  return {
    kind: 'step',
    key: 'complete',
    title: 'record the ports and the number of nodes',
    deadlineMs: 60_000,
    async run(context) {
      const { database, ports, clusters, storageNodes } = context.services.catalog;
      const cluster = clusterId(prepared.clusterId);
      await database.write(async (sql) => {
        for (const one of growing) {
          for (const index of one.shard.nodes.keys()) {
            await ports.markUsed(sql, one.order.instanceOf(cluster, index + 1));
          }
        }
        const nodes = await storageNodes.list(sql, { clusterId: cluster });
        // Consoles show one number: that of most nodes of a shard.
        const counts = nodes.map((node) => nodes.filter((other) => other.shardId === node.shardId).length);
        const most = Math.max(...counts);
        await clusters.changeMemo(sql, cluster, { nodes: String(most) });
      }, context.signal);
      return null;
    },
  };
}
