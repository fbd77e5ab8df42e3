import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../core/abort.ts';
import { errorText, KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../../core/model.ts';
import {
  cloneFrom,
  readCloneProgress,
  readCloneStatus,
  restoreAfterClone,
  stopClone,
  type CloneStatus,
} from '../../engines/mysql/clone.ts';
import { EngineSqlError } from '../../engines/sql-error.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { endHungCommits } from './waiting-commits.ts';
import { onNode, type NodePlace, type ShardNow } from './shard-now.ts';

type Context = StepContext<Services>;

/** For steps that clone: as long as data of this size may take through a narrow limit. */
export const cloneDeadlineMs = 48 * 3_600_000;

/** A transfer without any progress for this long is broken. */
const stallMs = 120_000;
const progressIntervalMs = 1000;
/** The restart at the end of a clone, with the recovery of what was copied. */
const restartMs = 600_000;
const pollMs = 100;

export interface CloneInto {
  readonly target: NodePlace;
  readonly source: HostPort;
  /** MiB per second; 0: no limit. */
  readonly limitMbPerSecond: number;
}

/**
 * Copies the data of `source` into a node that was just made from the template, and returns when the node serves again.
 * May be repeated: a clone that somebody began and nobody waits for any more is ended and begun anew, one that is
 * complete is not repeated.
 * @throws KlusterError storage_install_failed with the server's reason
 */
export async function cloneNode(context: Context, now: ShardNow, into: CloneInto): Promise<void> {
  const { target } = into;
  const before = await settledStatus(context, now, target);
  if (before?.state === 'Completed') return;
  await endHungCommits(context, now, into.source);
  const ended = await runClone(context, now, into);
  const status = await outcome(context, now, target);
  if (status?.state === 'Completed') return;
  await onNode(now, target, context.signal, restoreAfterClone);
  const reason = status === null || status.error === '' ? ended : status.error;
  throw new KlusterError(
    'storage_install_failed',
    `the clone of ${colonAddress(into.source)} into ${colonAddress(target)} failed: ${reason}`,
  );
}

/**
 * Before a copy: the node's server runs. One that does not start any more, because it ended in the middle of an earlier
 * copy, is made again from the template.
 */
export async function startForClone(context: Context, target: NodePlace): Promise<void> {
  const { services, signal, jobId, attempt } = context;
  const agent = services.agents.at({ hostaddr: target.hostaddr, port: target.agentPort });
  try {
    await agent.start(target.instanceId, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const isBroken =
      error instanceof KlusterError && ['instance_start_failed', 'agent_refused'].includes(error.kind);
    if (!isBroken) throw error;
    const key = `job${String(jobId)}-${String(attempt)}-${String(Date.now())}`;
    await agent.remake(target.instanceId, key, { signal });
  }
}

/** The state of the last clone, when none is under way any more. */
async function settledStatus(
  { signal }: Context,
  now: ShardNow,
  target: NodePlace,
): Promise<CloneStatus | null> {
  for (;;) {
    const status = await onNode(now, target, signal, async (session) => {
      const found = await readCloneStatus(session);
      if (found?.state === 'In Progress') {
        await stopClone(session, found).catch((error: unknown) => {
          // It has ended by itself in between.
          if (!(error instanceof EngineSqlError) || error.connectionLost) throw error;
        });
      }
      return found;
    });
    if (status?.state !== 'In Progress') return status;
    await sleep(pollMs, undefined, { signal });
  }
}

/** Runs the statement to its end, which is a lost connection when all went well; gives what it ended with. */
async function runClone({ signal }: Context, now: ShardNow, into: CloneInto): Promise<string> {
  const { target, source, limitMbPerSecond } = into;
  const order = { donor: source, account: now.accounts.replication, limitMbPerSecond };
  const stalled = new AbortController();
  const cut = (): void => {
    stalled.abort(signal.reason);
  };
  signal.addEventListener('abort', cut, { once: true });
  const watching = new AbortController();
  const watch = watchProgress(now, target, watching.signal).then((reason) => {
    if (reason !== null) stalled.abort(new KlusterError('storage_install_failed', reason));
  });
  try {
    signal.throwIfAborted();
    await onNode(now, target, stalled.signal, (session) => cloneFrom(session, order, cloneDeadlineMs));
    return 'the statement ended without a restart';
  } catch (error) {
    signal.throwIfAborted();
    return errorText(error);
  } finally {
    signal.removeEventListener('abort', cut);
    watching.abort(new Error('the clone has ended'));
    await watch;
  }
}

/** Gives the reason when nothing is transferred for long, null when it is told to stop. */
async function watchProgress(now: ShardNow, target: HostPort, signal: AbortSignal): Promise<string | null> {
  let last = -1;
  let changedAt = performance.now();
  while (!signal.aborted) {
    await sleep(progressIntervalMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const transferred = await onNode(now, target, signal, readCloneProgress).then(
      (progress) => progress.transferred,
      () => last,
    );
    if (transferred !== last) {
      last = transferred;
      changedAt = performance.now();
    }
    if (performance.now() - changedAt > stallMs) {
      return `nothing was transferred for ${String(stallMs / 1000)} s, ${String(last)} bytes were`;
    }
  }
  return null;
}

/** What the server says after its restart; its agent starts it again. */
async function outcome(context: Context, now: ShardNow, target: NodePlace): Promise<CloneStatus | null> {
  const agent = context.services.agents.at({ hostaddr: target.hostaddr, port: target.agentPort });
  return withDeadline(restartMs, context.signal, async (signal) => {
    for (;;) {
      try {
        const status = await onNode(now, target, signal, readCloneStatus);
        if (status?.state !== 'In Progress') return status;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof EngineSqlError) || !error.connectionLost) throw error;
        const { state, lastExit } = await agent.instance(target.instanceId, { signal });
        if (state === 'failed') {
          throw new KlusterError(
            'storage_install_failed',
            `${target.instanceId} does not start after the clone: ${lastExit?.reason ?? 'no reason known'}`,
          );
        }
      }
      await sleep(pollMs, undefined, { signal });
    }
  });
}
