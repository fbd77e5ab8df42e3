import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { disconnectClients } from '../engines/mysql/clients.ts';
import { withMysql, withMysqlEach } from '../engines/mysql/connection.ts';
import { executedGtids, serverUuid, waitForGtids } from '../engines/mysql/gtid.ts';
import { closeForWrites, makeWritable } from '../engines/mysql/read-only.ts';
import type { SqlAddress, SqlSession } from '../engines/sql.ts';
import { sessionOf } from './opened-session.ts';
import { followIn } from './follow.ts';
import { becomePrimary, leaveSource } from './open-primary.ts';
import { PhaseClock } from './phase-clock.ts';
import { Rerouting } from './rerouting.ts';
import { serviceUsers } from './service-users.ts';
import type { ShardContext } from './shard-context.ts';

export interface Switchover {
  readonly context: ShardContext;
  /** The recorded primary, which answers. */
  readonly old: StorageNode;
  /** A replica that has caught up. */
  readonly target: StorageNode;
  /** Called at the places of the work, in this order, each of which must survive the death of the manager. */
  readonly at: (place: 'closed' | 'recorded') => void;
}

export interface SwitchoverResult {
  /**
   * From the moment at which the old primary began to close until the new one was open and compute nodes led to it. A commit
   * there waits for the first replica that follows.
   */
  readonly pauseMs: number;
  /** When what was done within it, in words. */
  readonly phases: string;
  /** What the health loop has to finish, in words. */
  readonly unfinished: readonly string[];
}

/** Writes pause meanwhile; what does not arrive in this time would not soon. */
const applyWaitSeconds = 1;
const statementTimeoutMs = 5000;
const putBackMs = 10_000;
/** A compute node that does not answer in time is re-routed when it does: the health loop finds its stale route. */
const rerouteMs = 2000;

interface Sessions {
  readonly old: SqlSession;
  readonly closing: SqlSession;
  readonly target: SqlSession;
  readonly others: readonly { readonly node: StorageNode; readonly session: SqlSession }[];
}

/**
 * Moves the primary of an rbr shard while both nodes live. The health loop must leave the shard alone meanwhile
 * (`ShardGate`).
 *
 * 1. Close the old primary. From here on a crash leaves a closed recorded primary, which the health loop opens again.
 * 2. Wait until the target has executed all of it, and with k > 1 acknowledgements k - 1 further replicas too: then the old
 *    primary and they are k holders of every acknowledged transaction, as the proof of the next failover needs.
 * 3. Record the target, under the epoch: the point of no return. A crash after it leaves a closed new primary, stale routes
 *    and nodes that follow nobody or the wrong one: each is a state that the health loop mends.
 * 4. At once: open the target, re-route the compute nodes, let the others follow, disconnect the clients of the old
 *    primary and let it follow too. What fails here is told and left to the health loop.
 *
 * @throws the reason, with the old primary in its place and open again, when something before the record fails
 */
export async function switchOver(switchover: Switchover, signal: AbortSignal): Promise<SwitchoverResult> {
  const { context, old, target } = switchover;
  const address = ({ hostaddr, port }: StorageNode): SqlAddress => {
    return { hostaddr, port, ...context.account, statementTimeoutMs };
  };
  const others = context.nodes.filter(
    ({ id, status }) => id !== old.id && id !== target.id && (status === 'active' || status === 'inactive'),
  );
  const chosen = [old, old, target, ...others];
  return withMysqlEach(chosen.map(address), signal, async (opened) => {
    const [control, closing, successor, ...rest] = opened;
    const sessions: Sessions = {
      old: sessionOf(control),
      closing: sessionOf(closing),
      target: sessionOf(successor),
      others: rest.flatMap((outcome, index) => {
        const node = others[index];
        return node !== undefined && outcome.status === 'fulfilled' ? [{ node, session: outcome.value }] : [];
      }),
    };
    const rerouting = new Rerouting(context, signal);
    try {
      await rerouting.ready();
      return await move(switchover, { sessions, rerouting, clock: new PhaseClock() }, signal);
    } finally {
      rerouting.close();
    }
  });
}

interface Work {
  readonly sessions: Sessions;
  readonly rerouting: Rerouting;
  readonly clock: PhaseClock;
}

async function move(switchover: Switchover, work: Work, signal: AbortSignal): Promise<SwitchoverResult> {
  const uuid = await serverUuid(work.sessions.target);
  let followed: boolean | undefined;
  try {
    followed = await handOver(switchover, { ...work, uuid }, signal);
  } catch (error) {
    const left = await putBack(switchover);
    if (left === null) throw error;
    throw new KlusterError(
      'switchover_refused',
      `${errorText(error)}; the old primary is opened again by the health loop, not at once: ${left}`,
      { cause: error },
    );
  }
  return carryOn(switchover, { ...work, followed });
}

/** Steps 1 to 3. @returns what `leaveSource` of the target has said, unless it failed */
async function handOver(
  { context, old, target, at }: Switchover,
  { sessions, clock, uuid }: Work & { readonly uuid: string },
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { catalog, shard } = context;
  clock.start();
  await closeForWrites({ closing: sessions.closing, control: sessions.old }, serviceUsers(context.accounts));
  // A closed server still lets a client commit a prepared transaction (XA COMMIT): of its own, so that it would differ.
  await disconnectClients(sessions.old, { spare: serviceUsers(context.accounts), onlyBusy: false });
  at('closed');
  clock.mark('closed');
  const gtids = await executedGtids(sessions.old);
  await Promise.all([
    executedBy(sessions.target, target, gtids),
    executedByOthers(sessions, gtids, shard.fullsyncLevel - 1),
  ]);
  const extra = GtidSet.parse(await executedGtids(sessions.target)).subtract(GtidSet.parse(gtids));
  if (!extra.isEmpty) {
    throw new KlusterError(
      'switchover_refused',
      `${colonAddress(target)} has transactions that ${colonAddress(old)} lacks: ${extra.toString()}`,
      { code: 70_020 },
    );
  }
  clock.mark('caught up');
  const [recorded, left] = await Promise.allSettled([
    catalog.database.write((sql) => catalog.storageNodes.setPrimary(sql, shard.id, target.id, uuid), signal),
    // Should the record fail, the target stays a replica that has stopped, which the health loop starts again.
    leaveSource(sessions.target),
  ]);
  if (recorded.status === 'rejected') throw recorded.reason;
  at('recorded');
  clock.mark('recorded');
  return left.status === 'fulfilled' ? left.value : undefined;
}

async function executedBy(session: SqlSession, node: StorageNode, gtids: string): Promise<void> {
  if (await waitForGtids(session, gtids, applyWaitSeconds)) return;
  throw new KlusterError(
    'switchover_refused',
    `${colonAddress(node)} has not executed everything within ${String(applyWaitSeconds)} s after writes were stopped`,
    { code: 70_020 },
  );
}

async function executedByOthers({ others }: Sessions, gtids: string, needed: number): Promise<void> {
  if (needed <= 0) return;
  const outcomes = await Promise.allSettled(
    others.map(({ node, session }) => executedBy(session, node, gtids)),
  );
  const executed = outcomes.filter(({ status }) => status === 'fulfilled').length;
  if (executed >= needed) return;
  throw new KlusterError(
    'switchover_refused',
    `${String(executed)} further replicas have executed everything, ${String(needed)} are needed: ` +
      'every acknowledged transaction would not be on enough nodes',
    { code: 70_007 },
  );
}

/**
 * The old primary accepts writes again, unless the catalog names another one (a record whose answer was lost) or another
 * manager leads. What cannot be put back now is put back by the health loop, which finds a closed primary.
 * @returns why it could not be put back, or null
 */
async function putBack({ context, old }: Switchover): Promise<string | null> {
  const { catalog, account } = context;
  try {
    await withDeadline(putBackMs, undefined, async (signal) => {
      const recorded = await catalog.database.write((sql) => catalog.storageNodes.find(sql, old.id), signal);
      if (recorded?.memberState !== 'source') return;
      const { hostaddr, port } = old;
      await withMysql({ hostaddr, port, ...account, statementTimeoutMs }, signal, makeWritable);
    });
    return null;
  } catch (error) {
    return errorText(error);
  }
}

/** Step 4. Everything at once, but compute nodes are not led to a target that is not open yet. */
async function carryOn(
  { context, old, target }: Switchover,
  { sessions, rerouting, clock, followed }: Work & { readonly followed: boolean | undefined },
): Promise<SwitchoverResult> {
  const { shard, accounts } = context;
  const replication = accounts.get('replication');
  if (replication === undefined) throw new KlusterError('metadata', 'the cluster has no replication account');
  const unfinished: string[] = [];
  const attempt = async (what: string, work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      unfinished.push(`${what}: ${errorText(error)}`);
    }
  };
  const following = [{ node: old, session: sessions.old }, ...sessions.others].map(
    async ({ node, session }) => {
      await attempt(
        `${colonAddress(node)} follows`,
        followIn(session, { node, primary: target, replication }),
      );
      clock.mark(`${colonAddress(node)} followed`);
    },
  );
  const opening = new Promise<void>((resolve) => {
    const becoming = becomePrimary(sessions.target, shard.fullsyncLevel, { followed, onOpen: resolve });
    following.push(attempt(`open ${colonAddress(target)}`, becoming).then(resolve));
  }).then(() => clock.mark('opened'));
  unfinished.push(...(await rerouting.reroute(opening, rerouteMs)).failed);
  clock.mark('re-routed');
  await Promise.all([
    // Not before the routes lead elsewhere: sessions of compute nodes then go on without noticing.
    attempt(
      'disconnect the clients of the old primary',
      disconnectClients(sessions.closing, { spare: serviceUsers(context.accounts), onlyBusy: false }),
    ),
    ...following,
  ]);
  return { pauseMs: clock.msUntil(['opened', 're-routed']), phases: clock.text(), unfinished };
}
