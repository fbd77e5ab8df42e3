import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { readChannel, startApplier } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { serverUuid, waitForGtids } from '../engines/mysql/gtid.ts';
import { closeFirst } from './close-first.ts';
import type { ShardAction } from './diagnosis.ts';
import { FailOverLog } from './fail-over-log.ts';
import { fence, type Fenced } from './fence.ts';
import { follow } from './follow.ts';
import { openPrimary } from './open-primary.ts';
import { provedCandidates } from './prove-acknowledgers.ts';
import { proveSuccessor } from './prove-successor.ts';
import type { RepairContext } from './repair-context.ts';
import { Rerouting } from './rerouting.ts';

type FailOver = Extract<ShardAction, { kind: 'fail_over' | 'hand_over' }>;

const applyWaitSeconds = 30;
/** What has not been done by then is left to later looks. */
const othersWaitMs = 5000;

/**
 * Gives an rbr shard another primary. No step waits for the old one, but for a moment when that lives (`hand_over`): it is
 * closed before anything else, if that can be done.
 *
 * 1. fence: the replicas stop receiving. From then on the old primary, should it live, gets too few acknowledgements to
 *    commit anything.
 * 2. choose: at least n-k+1 of n replicas are fenced (k acknowledgements per commit), so one of them has each acknowledged
 *    transaction; the successor's set must contain those of all of them.
 * 3. apply: the successor applies everything it has received; its relay logs are not touched before. Meanwhile the others,
 *    once they have applied what they received themselves, are made to follow it, for its first commit needs them.
 * 4. promote: recorded under the epoch: a manager whose term has ended stops here.
 * 5. open: it accepts writes, unless too few others are there to follow it; then the compute nodes, connected to long before,
 *    send their sessions to it. (Sessions that come earlier find a closed server, and wait again.)
 *
 * A manager that dies in between leaves a shard that the next one knows: before `promote` the primary is still lost and
 * everything begins anew; after it the new primary is closed, its replicas astray, or routes stale, each of them a state with
 * an action of its own.
 */
export async function failOver(context: RepairContext, action: FailOver, signal: AbortSignal): Promise<void> {
  // Before anything is changed or written down.
  const required = action.kind === 'hand_over';
  const fit = required ? await provedCandidates(context, action, signal) : action.candidates;
  const log = new FailOverLog(context, action.node, signal);
  const reached = (step: string): void => context.faultPoint(`fail_over:${step}`);
  const { account } = context;
  const rerouting = new Rerouting(context, signal);
  try {
    if (action.kind === 'hand_over') log.add('close', await closeFirst(context, action.node, signal));
    const fenced = await fence({ ...action, account }, signal);
    log.add('fence', `stopped receiving: ${fenced.map(({ node }) => colonAddress(node)).join(', ')}`);
    reached('fence');
    const { successor, leftOut } = proveSuccessor(fenced, action.quorum, { fit, required });
    log.chosen(successor.node);
    const without = leftOut.map(({ node, gtids }) => `; left out ${colonAddress(node)}: ${gtids.toString()}`);
    log.add('choose', `${colonAddress(successor.node)} has every transaction${without.join('')}`);
    const others = fenced
      .filter((other) => other !== successor && !leftOut.includes(other))
      .map(({ node }) => node);
    const following = followAll(context, { others, primary: successor.node }, signal);
    const uuid = await applyAll(context, successor, signal);
    log.add('apply', 'everything received is applied');
    reached('apply');
    await promote(context, { successor: successor.node, uuid, log }, signal);
    reached('promote');
    await open(context, { rerouting, successor: successor.node, promised: others.length, log }, signal);
    reached('open');
    log.add('follow', await following);
    await log.written();
  } catch (error) {
    signal.throwIfAborted();
    log.add('Fail', errorText(error));
    await log.written();
    throw error;
  } finally {
    rerouting.close();
  }
}

/** The successor's server UUID, once it has applied all that it has. */
async function applyAll(
  { account }: RepairContext,
  { node, gtids }: Fenced,
  signal: AbortSignal,
): Promise<string> {
  const { hostaddr, port } = node;
  return withMysql({ hostaddr, port, ...account }, signal, async (session) => {
    // A replica that was just restarted does not apply by itself.
    if ((await readChannel(session)) !== null) await startApplier(session);
    if (await waitForGtids(session, gtids.toString(), applyWaitSeconds)) return serverUuid(session);
    throw new KlusterError(
      'engine_sql',
      `${colonAddress(node)} has not applied what it received within ${String(applyWaitSeconds)} s`,
    );
  });
}

interface Promotion {
  readonly successor: StorageNode;
  readonly uuid: string;
  readonly log: FailOverLog;
}

async function promote(
  { catalog, shard }: RepairContext,
  { successor, uuid, log }: Promotion,
  signal: AbortSignal,
): Promise<void> {
  await log.written();
  await catalog.database.write(async (sql) => {
    await catalog.storageNodes.setPrimary(sql, shard.id, successor.id, uuid);
    await log.addWithin(sql, 'promote', `${colonAddress(successor)} is the primary`);
  }, signal);
}

/** In words how it went: those that fail are made to follow by later looks. */
async function followAll(
  context: RepairContext,
  { others, primary }: { readonly others: readonly StorageNode[]; readonly primary: StorageNode },
  signal: AbortSignal,
): Promise<string> {
  const outcomes = await Promise.all(
    others.map((node) =>
      withDeadline(othersWaitMs, signal, (bounded) =>
        follow(context, { kind: 'follow', node, primary }, bounded),
      ).then(() => `${colonAddress(node)} follows`, errorText),
    ),
  );
  return outcomes.length === 0 ? 'nobody else was there to follow' : outcomes.join('; ');
}

interface Opening {
  readonly rerouting: Rerouting;
  readonly successor: StorageNode;
  /** Replicas that are being made to follow it. */
  readonly promised: number;
  readonly log: FailOverLog;
}

/** A compute node that does not answer is re-routed when it does. */
async function open(
  context: RepairContext,
  { rerouting, successor, promised, log }: Opening,
  signal: AbortSignal,
): Promise<void> {
  const at = colonAddress(successor);
  let opening: Promise<boolean> | undefined;
  let accepts = false;
  const opened = new Promise<void>((resolve, reject) => {
    const onOpen = (): void => {
      accepts = true;
      resolve();
    };
    opening = openPrimary(context, { node: successor, promised, onOpen }, signal);
    opening.then(() => {
      resolve();
    }, reject);
  });
  const rerouted = rerouting.reroute(opened, othersWaitMs);
  await opened;
  log.add('open', accepts ? `${at} accepts writes` : `${at} stays closed until enough replicas follow it`);
  const { done, failed } = await rerouted;
  const told = done.map((name) => `${name} sends its sessions to ${at}`);
  log.add('reroute', [...told, ...failed].join('; ') || 'there is no compute node');
  await opening;
}
