import { clusterId, instanceId, shardId, storageNodeId } from '../../core/ids.ts';
import { colonAddress } from '../../core/model.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import { persistWhenever, restoreVariable } from '../../engines/mysql/variables.ts';
import { withPostgres } from '../../engines/postgres/connection.ts';
import { alterSystem, restoreSetting } from '../../engines/postgres/settings.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { parallel, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { untilServing } from '../control-instance/serve-again.ts';
import { handOverSteps } from '../manual-switch/plan.ts';
import { readClusterAccounts } from '../topology/accounts.ts';
import { answerOf } from '../topology/held-by-others.ts';
import { restartRetry } from '../topology/instances.ts';
import type { Context } from '../topology/orders.ts';
import type { SetClusterVariableParas, SetClusterVariablePrepared, SettableNode } from './parameters.ts';

interface Order {
  readonly paras: SetClusterVariableParas;
  readonly prepared: SetClusterVariablePrepared;
  readonly shardId: number | null;
}

/**
 * Shards beside each other; within one the replicas, one after the other, and the primary last. With a variable that
 * needs a restart each is restarted and does its part again before the next; the primary hands over first. An error
 * takes the change back where it was made.
 */
export function setClusterVariablePlan(
  paras: SetClusterVariableParas,
  prepared: SetClusterVariablePrepared,
): Group<Services> {
  return serial('set_cluster_variable', `set ${prepared.variable} in ${prepared.clusterName}`, [
    parallel(
      'nodes',
      'set it on every node',
      prepared.groups.map((group) => {
        const order = { paras, prepared, shardId: group.shardId };
        const last = group.nodes.at(-1);
        const steps = group.nodes.map((node) => [
          ...(node === last && group.handOver !== null ? handOverSteps(group.handOver) : []),
          ...changeSteps(order, node),
        ]);
        return serial(group.name, `set it in ${group.name}`, steps.flat());
      }),
    ),
  ]);
}

function changeSteps(order: Order, node: SettableNode): readonly Step<Services>[] {
  const change = changeStep(order, node);
  return order.prepared.needsRestart ? [change, restartStep(order, node)] : [change];
}

async function onServer<T>(
  { services, signal }: Context,
  { prepared }: Order,
  node: SettableNode,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const accounts = await readClusterAccounts(services, clusterId(prepared.clusterId), signal);
  const { hostaddr, port } = node;
  return prepared.engine === 'mysql'
    ? withMysql({ hostaddr, port, ...accounts.management }, signal, work)
    : withPostgres({ hostaddr, port, ...accounts.compute_superuser }, signal, work);
}

function changeStep(order: Order, node: SettableNode): Step<Services> {
  const { prepared, paras } = order;
  const { variable, engine } = prepared;
  const title = `${variable} of ${colonAddress(node)}`;
  return {
    kind: 'step',
    key: `node_${String(node.nodeId)}`,
    title: `set ${title}`,
    deadlineMs: 60_000,
    retry: restartRetry,
    async run(context) {
      const { type, value } = paras;
      const valueType = type === undefined ? undefined : type === 'string' ? 'text' : 'number';
      await onServer(context, order, node, async (session) => {
        if (engine === 'postgres') await alterSystem(session, variable, value);
        else await persistWhenever(session, variable, { value, valueType });
      });
      return null;
    },
    async undo(context) {
      const { signal } = context;
      const restored = await answerOf(signal, async () => {
        await onServer(context, order, node, (session) =>
          engine === 'mysql'
            ? restoreVariable(session, variable, node.before)
            : restoreSetting(session, variable, node.before.persisted),
        );
        return true;
      });
      if (restored === null) await restoreStopped(context, order, node);
      else if (prepared.needsRestart) await restart(context, order, node, 'undo');
    },
  };
}

/** It may be this value with which the server does not start. */
async function restoreStopped(context: Context, order: Order, node: SettableNode): Promise<void> {
  const { services, signal } = context;
  const agent = services.agents.at({ hostaddr: node.hostaddr, port: node.agentPort });
  const id = instanceId(node.instanceId);
  await alone(context, order, async () => {
    await agent.stop(id, 'immediate', { signal });
    const { persisted: value } = node.before;
    await agent.restoreSetting(id, { name: order.prepared.variable, value }, { signal });
    await agent.start(id, { signal });
  });
  await untilItServes(context, order, node);
}

function restartStep(order: Order, node: SettableNode): Step<Services> {
  return {
    kind: 'step',
    key: `restart_${String(node.nodeId)}`,
    title: `restart ${colonAddress(node)}`,
    weight: 3,
    deadlineMs: 500_000,
    retry: restartRetry,
    async run(context) {
      await restart(context, order, node, 'change');
      return null;
    },
  };
}

/** Once per reason; returns when the node does its part again. */
async function restart(context: Context, order: Order, node: SettableNode, reason: string): Promise<void> {
  const { services, signal, jobId } = context;
  const agent = services.agents.at({ hostaddr: node.hostaddr, port: node.agentPort });
  const key = `job${String(jobId)}-${reason}`;
  await alone(context, order, async () => {
    await agent.restart(instanceId(node.instanceId), key, { signal });
  });
  await untilItServes(context, order, node);
}

/** The health loop would take the end of a node for a fault. */
async function alone(
  { services }: Context,
  { shardId: shard }: Order,
  work: () => Promise<void>,
): Promise<void> {
  await (shard === null ? work() : services.shards.alone(shardId(shard), work));
}

async function untilItServes(context: Context, { shardId: shard }: Order, node: SettableNode): Promise<void> {
  if (shard === null) return;
  await untilServing(context, { id: storageNodeId(node.nodeId), shardId: shardId(shard) });
}
