import type { FailoverStep } from '../../catalog/failovers.ts';
import { KlusterError, toKlusterError } from '../../core/errors/kluster-error.ts';
import { shardId } from '../../core/ids.ts';
import type { Json } from '../../core/json.ts';
import { colonAddress, type Shard, type StorageNode } from '../../core/model.ts';
import { catchUp } from '../../ha/catch-up.ts';
import { readShardContext, type ShardContext } from '../../ha/shard-context.ts';
import { switchGroup } from '../../ha/switch-group.ts';
import { switchOver } from '../../ha/switch-over.ts';
import { whatIsUnsettled } from '../../ha/unsettled.ts';
import { pointOfNoReturn, serial, type Group, type Step, type StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { until } from '../topology/until.ts';
import type { ManualSwitchPrepared } from './parameters.ts';

/** The words of `job_step`, and the path of the step behind each; `check` is the preparation. */
export const switchSteps = [
  { name: 'check', path: '' },
  { name: 'catch_up', path: 'manual_switch/catch_up' },
  { name: 'switch', path: 'manual_switch/switch' },
  { name: 'settle', path: 'manual_switch/settle' },
] as const;

const catchUpMs = 120_000;
const switchMs = 60_000;
const settleMs = 60_000;
/** Another attempt meets the same node: the operator decides. */
const once = { attempts: 1, firstDelayMs: 0, maximumDelayMs: 0 };

/** Until `switch` has recorded the target, an error leaves the old primary in its place. */
export function manualSwitchPlan(prepared: ManualSwitchPrepared): Group<Services> {
  const title = `make ${colonAddress(prepared.target)} the primary of ${prepared.shardName}`;
  return serial('manual_switch', title, [
    catchUpStep(prepared),
    switchStep(prepared),
    pointOfNoReturn,
    settleStep(prepared),
  ]);
}

interface Situation {
  readonly context: ShardContext;
  readonly old: StorageNode;
  readonly target: StorageNode;
  readonly primary: StorageNode | undefined;
}

/** @throws KlusterError switchover_refused when one of the two nodes is gone */
async function situation(
  { services, signal }: StepContext<Services>,
  prepared: ManualSwitchPrepared,
): Promise<Situation> {
  const context = await readShardContext(services.catalog, shardId(prepared.shardId), signal);
  const find = (id: number): StorageNode => {
    const node = context.nodes.find((candidate) => candidate.id === id);
    if (node !== undefined) return node;
    throw new KlusterError('switchover_refused', `a node of ${prepared.shardName} was removed meanwhile`);
  };
  return {
    context,
    old: find(prepared.old.id),
    target: find(prepared.target.id),
    primary: context.nodes.find(({ memberState }) => memberState === 'source'),
  };
}

/** The steps of a switchover, for a job that then takes the former primary out of service. */
export function handOverSteps(prepared: ManualSwitchPrepared): readonly Step<Services>[] {
  return [catchUpStep(prepared), switchStep(prepared), settleStep(prepared)];
}

function catchUpStep(prepared: ManualSwitchPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'catch_up',
    title: `let ${colonAddress(prepared.target)} execute what it has received`,
    deadlineMs: catchUpMs,
    retry: once,
    async run(context) {
      const { context: shard, old, target, primary } = await situation(context, prepared);
      if (primary?.id !== old.id) return null;
      await catchUp(shard.account, { old, target }, context.signal);
      return null;
    },
  };
}

function switchStep(prepared: ManualSwitchPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'switch',
    title: `move the primary from ${colonAddress(prepared.old)} to ${colonAddress(prepared.target)}`,
    deadlineMs: switchMs,
    retry: once,
    run: (context) =>
      context.services.shards.alone(shardId(prepared.shardId), () => switchNow(context, prepared)),
  };
}

async function switchNow(step: StepContext<Services>, prepared: ManualSwitchPrepared): Promise<Json> {
  // Read when the health loop is out of the way: it may have failed over meanwhile.
  const { context, old, target, primary } = await situation(step, prepared);
  if (primary?.id === target.id) return { pause_ms: null };
  if (primary?.id !== old.id) {
    throw new KlusterError(
      'switchover_refused',
      `the primary is ${primary === undefined ? 'unknown' : colonAddress(primary)} by now, not ${colonAddress(old)}`,
      { code: 70_033 },
    );
  }
  requireWhole(context.shard);
  const { catalog } = step.services;
  const record = (name: string, text: string, errorCode?: number): Promise<void> => {
    const row: FailoverStep = {
      shard: context.shard,
      switchType: 'manual',
      task: `job-${String(step.jobId)}`,
      step: name,
      text,
      old,
      successor: target,
      ...(errorCode === undefined ? {} : { errorCode }),
    };
    return catalog.database.write((sql) => catalog.failovers.add(sql, row), step.signal);
  };
  await record('begin', `asked for: ${colonAddress(target)} is to be the primary, it has caught up`);
  const switching = context.cluster.haMode === 'mgr' ? switchGroup : switchOver;
  try {
    const { pauseMs, phases, unfinished } = await switching(
      { context, old, target, at: step.faultPoint },
      step.signal,
    );
    await record(
      'promote',
      `${colonAddress(target)} is the primary; writes paused for ${String(pauseMs)} ms: ${phases}`,
    );
    for (const what of unfinished) await step.note(`left to the health loop: ${what}`);
    return { pause_ms: pauseMs };
  } catch (error) {
    step.signal.throwIfAborted();
    const { message, code } = toKlusterError(error);
    await record('Fail', message, code);
    throw error;
  }
}

/** A new primary would wait for all acknowledgements at once; and too few nodes may have what was committed meanwhile. */
function requireWhole({ name, acknowledgements, fullsyncLevel }: Shard): void {
  if (acknowledgements >= fullsyncLevel) return;
  throw new KlusterError(
    'switchover_refused',
    `${name} is degraded: its commits wait for ${String(acknowledgements)} instead of ${String(fullsyncLevel)} acknowledgements`,
    { code: 70_007 },
  );
}

function settleStep(prepared: ManualSwitchPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'settle',
    title: `see that everything follows ${colonAddress(prepared.target)}`,
    deadlineMs: settleMs + 20_000,
    async run(step) {
      await until(step.signal, settleMs, `${prepared.shardName} to be whole`, async () => {
        const { context, target } = await situation(step, prepared);
        // A failover that came in between has its own way of ending.
        if (target.memberState !== 'source') return true;
        return (await whatIsUnsettled(context, step.signal)) ?? true;
      });
      return null;
    },
  };
}
