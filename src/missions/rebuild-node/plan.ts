import { instanceId, shardId, storageNodeId } from '../../core/ids.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../../core/model.ts';
import {
  parallel,
  serial,
  type Group,
  type RetryPolicy,
  type Step,
  type StepContext,
} from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { cloneDeadlineMs, cloneNode, startForClone } from '../topology/clone-node.ts';
import { chooseSource } from '../topology/clone-source.ts';
import { copyVariables, variablesOf } from '../topology/copy-variables.ts';
import { secureDeadlineMs, securedTransactions, secureErrant } from '../topology/errant-transactions.ts';
import { awaitHolders } from '../topology/entrust.ts';
import { restartRetry } from '../topology/instances.ts';
import { acknowledge, catchUp, catchUpDeadlineMs, joinShardGroup } from '../topology/join-shard.ts';
import { onNode, readShard, replicaOf, type NodePlace, type ShardNow } from '../topology/shard-now.ts';
import { defaultReplicaDelay, type RebuildNodeParas } from './parameters.ts';
import type { RebuildingNode, RebuildNodePrepared, RebuildStep } from './prepared.ts';

type Context = StepContext<Services>;

interface Order {
  readonly paras: RebuildNodeParas;
  readonly prepared: RebuildNodePrepared;
  /** Nodes of this wave and of later ones; those of earlier ones serve again, and are as good as any. */
  readonly except: readonly RebuildingNode[];
}

/** A failed copy is begun anew: the source, or the node, may have been restarted in the middle of it. */
const cloneRetry: RetryPolicy = {
  attempts: 4,
  firstDelayMs: 1000,
  maximumDelayMs: 10_000,
  isPassing: (error) => !(error instanceof KlusterError) || error.kind !== 'no_clone_source',
};

/**
 * Wave after wave, each node by itself: take it out and save what only it has → make it again, empty → copy → follow
 * the primary until it has everything → serve again. The health loop leaves a node alone that is `creating`.
 */
export function rebuildNodePlan(paras: RebuildNodeParas, prepared: RebuildNodePrepared): Group<Services> {
  return serial(
    'rebuild_node',
    `rebuild nodes of ${prepared.shardName}`,
    prepared.waves.map((wave, index) =>
      parallel(
        `wave_${String(index + 1)}`,
        `rebuild ${wave.map(colonAddress).join(', ')}`,
        wave.map((node) => rebuildOne({ paras, prepared, except: prepared.waves.slice(index).flat() }, node)),
      ),
    ),
  );
}

function rebuildOne(order: Order, node: RebuildingNode): Group<Services> {
  return serial(`node_${String(node.nodeId)}`, `rebuild ${colonAddress(node)}`, [
    check(order, node),
    save(order, node),
    clear(node),
    clone(order, node),
    synchronise(order, node),
  ]);
}

const placeOf = (node: RebuildingNode): NodePlace => ({
  instanceId: instanceId(node.instanceId),
  hostaddr: node.hostaddr,
  port: node.port,
  agentPort: node.agentPort,
});

const keyOf = (context: Context, node: RebuildingNode): string =>
  `job${String(context.jobId)}-node${String(node.nodeId)}`;

/** The shard as it is now, with the node still one of its replicas. */
async function currentShard(
  { services, signal }: Context,
  { prepared }: Order,
  node: RebuildingNode,
): Promise<ShardNow> {
  const now = await readShard(services, shardId(prepared.shardId), signal);
  replicaOf(now, storageNodeId(node.nodeId));
  return now;
}

function sourceOf({ signal }: Context, { paras, except }: Order, now: ShardNow): Promise<StorageNode> {
  const wish = {
    except,
    allowPrimary: paras.allow_pull_from_master ?? false,
    maximumDelay: paras.allow_replica_delay ?? defaultReplicaDelay,
  };
  return chooseSource(now, wish, signal);
}

/** Path of another step of the same node. */
const pathOf = ({ path }: Context, step: RebuildStep): string =>
  `${path.slice(0, path.lastIndexOf('/'))}/${step}`;

function check(order: Order, node: RebuildingNode): Step<Services> {
  return {
    kind: 'step',
    key: 'check_param',
    title: `check that ${colonAddress(node)} can be rebuilt`,
    deadlineMs: 60_000,
    retry: restartRetry,
    async run(context) {
      const now = await currentShard(context, order, node);
      const source = await sourceOf(context, order, now);
      await context.services.agents
        .at({ hostaddr: node.hostaddr, port: node.agentPort })
        .instance(instanceId(node.instanceId), { signal: context.signal });
      return { source: colonAddress(source) };
    },
  };
}

function save(order: Order, node: RebuildingNode): Step<Services> {
  return {
    kind: 'step',
    key: 'save_errant',
    title: `take ${colonAddress(node)} out, and save what only it has`,
    deadlineMs: secureDeadlineMs,
    retry: restartRetry,
    async run(context) {
      const now = await currentShard(context, order, node);
      const { catalog, shards } = context.services;
      const { signal } = context;
      await awaitHolders(now, node, signal);
      return shards.alone(now.shard.id, async () => {
        // The primary may have moved meanwhile.
        const current = await currentShard(context, order, node);
        const securing = {
          node: placeOf(node),
          key: keyOf(context, node),
          except: order.except,
          discardUnsaved: order.paras.discard_unsaved ?? false,
        };
        const { transactions, isAbsentHolder } = await secureErrant(context, current, securing);
        if (isAbsentHolder) await context.note(absence(current, node));
        await catalog.database.write(
          (sql) => catalog.storageNodes.beginRebuild(sql, storageNodeId(node.nodeId), isAbsentHolder),
          signal,
        );
        return transactions;
      });
    },
    async undo(context) {
      const { agents, catalog } = context.services;
      const agent = agents.at({ hostaddr: node.hostaddr, port: node.agentPort });
      const { remadeBy } = await agent.instance(instanceId(node.instanceId), { signal: context.signal });
      if (remadeBy === keyOf(context, node)) {
        const { nodes } = await currentShard(context, order, node);
        // All was done before the job was made to fail.
        if (nodes.some(({ id, status }) => id === node.nodeId && status === 'active')) return;
        await context.note(
          `${colonAddress(node)} has lost its data and is no use until it is rebuilt: submit rebuild_node again`,
        );
        return;
      }
      await catalog.database.write(
        (sql) => catalog.storageNodes.setStatus(sql, storageNodeId(node.nodeId), node.formerStatus),
        context.signal,
      );
    },
  };
}

function absence({ shard, primary }: ShardNow, node: RebuildingNode): string {
  return (
    `too few other replicas of ${shard.name} can be shown to have what ${colonAddress(node)} has: until it is rebuilt, ` +
    `${shard.name} does not fail over without it, and writes may be on ${colonAddress(primary)} alone`
  );
}

function clear(node: RebuildingNode): Step<Services> {
  return {
    kind: 'step',
    key: 'clear_old_data',
    title: `make ${colonAddress(node)} again, empty`,
    weight: 2,
    deadlineMs: 400_000,
    retry: restartRetry,
    async run(context) {
      await context.services.agents
        .at({ hostaddr: node.hostaddr, port: node.agentPort })
        .remake(instanceId(node.instanceId), keyOf(context, node), { signal: context.signal });
      return null;
    },
  };
}

function clone(order: Order, node: RebuildingNode): Step<Services> {
  return {
    kind: 'step',
    key: 'clone_data',
    title: `copy the data to ${colonAddress(node)}`,
    weight: 10,
    deadlineMs: cloneDeadlineMs,
    retry: cloneRetry,
    async run(context) {
      const now = await currentShard(context, order, node);
      const source = await sourceOf(context, order, now);
      await startForClone(context, placeOf(node));
      const { hostaddr, port } = source;
      await cloneNode(context, now, {
        target: placeOf(node),
        source: { hostaddr, port },
        limitMbPerSecond: node.limit,
      });
      const { variables } = context.outputOf(pathOf(context, 'save_errant'), securedTransactions);
      const inherited = variables ?? (await onNode(now, now.primary, context.signal, variablesOf));
      await copyVariables(context, now, placeOf(node), inherited);
      return { source: colonAddress(source) };
    },
  };
}

function synchronise(order: Order, node: RebuildingNode): Step<Services> {
  return {
    kind: 'step',
    key: 'rebuild_sync',
    title: `let ${colonAddress(node)} catch up and serve again`,
    weight: 2,
    deadlineMs: catchUpDeadlineMs,
    retry: restartRetry,
    async run(context) {
      const { catalog } = context.services;
      const { signal } = context;
      const now = await currentShard(context, order, node);
      const serve = (): Promise<void> =>
        catalog.database.write(
          (sql) => catalog.storageNodes.setStatus(sql, storageNodeId(node.nodeId), 'active'),
          signal,
        );
      if (now.cluster.haMode === 'mgr') {
        await joinShardGroup(now, node, signal);
        await serve();
        return null;
      }
      await catchUp(context, now, node);
      // From here on a failover asks the node; only then may it acknowledge.
      await serve();
      await acknowledge(now, node, signal);
      return null;
    },
  };
}
