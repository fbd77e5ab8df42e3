import { setTimeout as sleep } from 'node:timers/promises';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { GtidSet } from '../../core/gtid-set.ts';
import { colonAddress, type HostPort, sameAddress } from '../../core/model.ts';
import {
  dropForeignChannels,
  followQuietly,
  readChannel,
  startAcknowledging,
} from '../../engines/mysql/channel.ts';
import { executedGtids, purgedGtids } from '../../engines/mysql/gtid.ts';
import {
  groupMembers,
  joinGroup,
  ownGroupState,
  prepareMember,
  setGroupAddresses,
} from '../../engines/mysql/group.ts';
import { acknowledgesSource, commitNothing, readSemiSync } from '../../engines/mysql/semi-sync.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import { makeReadOnly } from '../../engines/mysql/read-only.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { groupPortOffset } from './node-specs.ts';
import { answerOf } from './held-by-others.ts';
import { onNode, readShard, type ShardNow } from './shard-now.ts';
import { until } from './until.ts';

/** A clone through a narrow limit may take hours, and so may catching up with what was written meanwhile. */
export const catchUpDeadlineMs = 24 * 3_600_000;
/** Between looks at a source from which nothing comes. */
const sourcePollMs = 1000;
const joinWaitMs = 600_000;
const acknowledgeWaitMs = 60_000;

type Context = Pick<StepContext<Services>, 'services' | 'signal'>;

/**
 * rbr: makes a node that was just cloned follow the primary, and returns when it has everything that the primary had at
 * the beginning of the call. It does not acknowledge yet: a failover does not ask it, so what only it had received
 * would be lost. May be repeated.
 * @throws KlusterError metadata, which passes, when the primary is replaced meanwhile; storage_install_failed when the node
 *   cannot get from it what it lacks
 */
export async function catchUp({ services, signal }: Context, now: ShardNow, target: HostPort): Promise<void> {
  const { primary, accounts, shard } = now;
  const wanted = GtidSet.parse(await onNode(now, primary, signal, executedGtids));
  await onNode(now, target, signal, async (session) => {
    await makeReadOnly(session);
    const channel = await readChannel(session);
    const isOurs =
      channel !== null &&
      sameAddress(channel.source, primary) &&
      (channel.receiverRunning || channel.applierRunning);
    if (isOurs) return;
    await dropForeignChannels(session);
    await followQuietly(session, primary, accounts.replication);
  });
  const goal = `${colonAddress(target)} to catch up with the primary of ${shard.name}`;
  await onNode(now, target, signal, (session) =>
    until(signal, catchUpDeadlineMs, goal, async () => {
      const missing = wanted.subtract(GtidSet.parse(await executedGtids(session)));
      if (missing.isEmpty) return true;
      const channel = await readChannel(session);
      if (channel !== null && channel.applierError !== null && !channel.applierRunning) {
        throw new KlusterError('storage_install_failed', `replication stopped: ${channel.applierError}`);
      }
      if (channel?.receiverRunning !== true) {
        await requireSource(services, now, { target, missing }, signal);
        await sleep(sourcePollMs, undefined, { signal });
      }
      return `${String(missing.size)} transactions are missing`;
    }),
  );
}

/** While a node receives nothing: its source is still the primary, and can send it what it lacks. */
async function requireSource(
  services: Services,
  { primary, shard }: ShardNow,
  { target, missing }: { readonly target: HostPort; readonly missing: GtidSet },
  signal: AbortSignal,
): Promise<void> {
  const now = await readShard(services, shard.id, signal);
  if (now.primary.id !== primary.id) {
    throw new KlusterError(
      'metadata',
      `${colonAddress(now.primary)} has become the primary of ${shard.name} while ${colonAddress(target)} followed ${colonAddress(primary)}`,
    );
  }
  const purged = await answerOf(signal, () => onNode(now, primary, signal, purgedGtids));
  if (purged === null) return;
  const gone = GtidSet.parse(purged).subtract(GtidSet.parse(purged).subtract(missing));
  if (gone.isEmpty) return;
  throw new KlusterError(
    'storage_install_failed',
    `${colonAddress(target)} lacks transactions that ${colonAddress(primary)} has in no log any more: ${gone.toString()}`,
  );
}

/** rbr: from now on the primary counts on the node. Only for a node that the catalog counts among the shard's. */
export async function acknowledge(now: ShardNow, target: HostPort, signal: AbortSignal): Promise<void> {
  await onNode(now, target, signal, async (session) => {
    if (!(await acknowledgesSource(session))) await startAcknowledging(session);
    await until(signal, acknowledgeWaitMs, `${colonAddress(target)} to acknowledge`, async () =>
      (await acknowledgesSource(session)) ? true : 'its receiver is not connected as a semi-sync replica',
    );
  });
  await onNode(now, now.primary, signal, async (session) => {
    if ((await readSemiSync(session)).waiting > 0) await commitNothing(session);
  });
}

/**
 * mgr: joins a node that was just cloned to the group of the primary. The others must know its address before, and must
 * have forgotten the member that it was before. May be repeated.
 */
export async function joinShardGroup(now: ShardNow, target: HostPort, signal: AbortSignal): Promise<void> {
  const { primary, accounts, shard } = now;
  const members = [...now.nodes.filter((node) => !sameAddress(node, target)), target];
  const seeds = members.map(({ hostaddr, port }) => ({ hostaddr, port: port + groupPortOffset }));
  const online = await onNode(now, primary, signal, groupMembers);
  for (const member of online.filter(({ state }) => state === 'ONLINE')) {
    await onNode(now, member, signal, (session) => setGroupAddresses(session, seeds));
  }
  const { hostaddr, port } = target;
  const address = { hostaddr, port, ...accounts.management, statementTimeoutMs: joinWaitMs };
  await withMysql(address, signal, async (session) => {
    const state = await ownGroupState(session);
    if (state === 'ONLINE' || state === 'RECOVERING') return;
    await until(
      signal,
      joinWaitMs,
      `the group of ${shard.name} to forget ${colonAddress(target)}`,
      async () => {
        const known = await onNode(now, primary, signal, groupMembers);
        return known.some((member) => sameAddress(member, target)) ? 'it is still listed' : true;
      },
    );
    await dropForeignChannels(session);
    await prepareMember(session, { seeds, recovery: accounts.replication });
    await joinGroup(session);
  });
  await until(signal, joinWaitMs, `${colonAddress(target)} to be a member of ${shard.name}`, async () => {
    const state = await onNode(now, target, signal, ownGroupState);
    if (state === 'ERROR' || state === 'OFFLINE') {
      throw new KlusterError('storage_install_failed', `${colonAddress(target)} is ${state} in its group`);
    }
    return state === 'ONLINE' ? true : state;
  });
}
