import { instanceId, shardId } from '../../core/ids.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type NodeStatus } from '../../core/model.ts';
import type { AgentClient } from '../../client/agent.ts';
import { proveCompute } from '../../ha/prove-compute.ts';
import { serial, type Group, type Step, type StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { handOverSteps } from '../manual-switch/plan.ts';
import { restartRetry } from '../topology/instances.ts';
import { readNodeAt, type ClusterNode } from '../topology/node-at.ts';
import { serveAgain } from './serve-again.ts';
import type { ControlInstanceParas, ControlInstancePrepared } from './parameters.ts';

type Context = StepContext<Services>;

/** An orderly end flushes a large buffer pool, a start recovers one. */
const engineDeadlineMs = 400_000;

export function controlInstancePlan(
  { control }: ControlInstanceParas,
  target: ControlInstancePrepared,
): Group<Services> {
  const title = `${control} ${target.instanceId} at ${colonAddress(target)}`;
  const handOver = target.handOver === null ? [] : handOverSteps(target.handOver);
  switch (control) {
    case 'start':
      return serial('control_instance', title, [start(target), serve(target)]);
    case 'stop':
      return serial('control_instance', title, [...handOver, stop(target)]);
    case 'restart':
      return serial('control_instance', title, [...handOver, restart(target), serve(target)]);
  }
}

const agentOf = ({ services }: Context, { hostaddr, agentPort }: ControlInstancePrepared): AgentClient =>
  services.agents.at({ hostaddr, port: agentPort });

/** What the health loops do with the node from now on depends on its status. */
async function setStatus(
  { services, signal }: Context,
  target: ControlInstancePrepared,
  status: NodeStatus,
): Promise<ClusterNode> {
  const { catalog } = services;
  return catalog.database.write(async (sql) => {
    const found = await readNodeAt(services, sql, target);
    if (found.kind === 'storage') await catalog.storageNodes.setStatus(sql, found.node.id, status);
    else await catalog.computeNodes.setStatus(sql, found.node.id, status);
    return found;
  }, signal);
}

/** A compute node serves when it has proved it, a storage node when the health loop has looked after it. */
const startedStatus = ({ shardId: shard }: ControlInstancePrepared): NodeStatus =>
  shard === null ? 'inactive' : 'active';

async function startNow(context: Context, target: ControlInstancePrepared): Promise<void> {
  await agentOf(context, target).start(instanceId(target.instanceId), { signal: context.signal });
  await setStatus(context, target, startedStatus(target));
}

async function stopNow(context: Context, target: ControlInstancePrepared): Promise<void> {
  const { node } = await setStatus(context, target, 'manual_stop');
  if ('memberState' in node && node.memberState === 'source' && target.handOver !== null) {
    await setStatus(context, target, node.status);
    throw new KlusterError(
      'switchover_refused',
      `${colonAddress(target)} has become the primary again after it had handed over; it was not stopped`,
    );
  }
  await end(context, target);
}

async function end(context: Context, target: ControlInstancePrepared): Promise<void> {
  const mode = target.killed ? 'immediate' : 'fast';
  await agentOf(context, target).stop(instanceId(target.instanceId), mode, { signal: context.signal });
}

/** With the health loop out of the way: it would take the end of a node for a fault. */
async function alone(
  { services }: Context,
  { shardId: shard }: ControlInstancePrepared,
  work: () => Promise<void>,
): Promise<null> {
  await (shard === null ? work() : services.shards.alone(shardId(shard), work));
  return null;
}

function start(target: ControlInstancePrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'start',
    title: `start ${target.instanceId}`,
    deadlineMs: engineDeadlineMs,
    retry: restartRetry,
    run: (context) => alone(context, target, () => startNow(context, target)),
  };
}

function stop(target: ControlInstancePrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'stop',
    title: `stop ${target.instanceId}`,
    deadlineMs: engineDeadlineMs,
    retry: restartRetry,
    run: (context) => alone(context, target, () => stopNow(context, target)),
    async undo(context) {
      await alone(context, target, () => startNow(context, target));
    },
  };
}

function restart(target: ControlInstancePrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'restart',
    title: `restart ${target.instanceId}`,
    deadlineMs: engineDeadlineMs,
    retry: restartRetry,
    run: (context) =>
      alone(context, target, async () => {
        if (target.killed) await end(context, target);
        else await restartOnce(context, target);
        await startNow(context, target);
      }),
  };
}

async function restartOnce(context: Context, target: ControlInstancePrepared): Promise<void> {
  const key = `job${String(context.jobId)}`;
  await agentOf(context, target).restart(instanceId(target.instanceId), key, { signal: context.signal });
}

function serve(target: ControlInstancePrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'serve',
    title: `see that ${target.instanceId} does its part again`,
    deadlineMs: 120_000,
    retry: restartRetry,
    async run(context) {
      const { catalog } = context.services;
      const { kind, node } = await catalog.database.read(
        (sql) => readNodeAt(context.services, sql, target),
        context.signal,
      );
      if (kind === 'compute') await proveCompute(catalog, node.id, context.signal);
      else await serveAgain(context, node);
      return null;
    },
  };
}
