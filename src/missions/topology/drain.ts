import { KlusterError } from '../../core/errors/kluster-error.ts';
import { GtidSet } from '../../core/gtid-set.ts';
import { colonAddress, type HostPort, sameAddress, type StorageNode } from '../../core/model.ts';
import { readChannel, stopChannel } from '../../engines/mysql/channel.ts';
import { executedGtids } from '../../engines/mysql/gtid.ts';
import { groupMembers, leaveGroup, ownGroupState } from '../../engines/mysql/group.ts';
import { requireApart } from './apart.ts';
import { answerOf, transactionsOf, untilHeldByOthers } from './held-by-others.ts';
import { onNode, type ShardNow } from './shard-now.ts';
import { until } from './until.ts';

/** A member that left without a word is expelled after the failure detector's 5 s. */
const expelWaitMs = 60_000;

/**
 * Takes a replica out of its shard for good. When it returns, a failover need not ask the node any more.
 *
 * rbr: the node may be the only replica that acknowledged a write. It stops receiving; then as many of the other
 * replicas as a commit needs acknowledgements must have everything that it and the primary have.
 * mgr: it leaves the group; the others have what it had.
 * @throws KlusterError step_deadline, storage_node_unsuited
 */
export async function drain(now: ShardNow, node: StorageNode, signal: AbortSignal): Promise<void> {
  if (now.cluster.haMode === 'mgr') await leave(now, node, signal);
  else await handOver(now, node, signal);
}

async function handOver(now: ShardNow, node: StorageNode, signal: AbortSignal): Promise<void> {
  const { primary, shard } = now;
  const own = await stopReceiving(now, node, signal);
  if (own === null) await requireApart(now, node, signal);
  const wanted = await onNode(now, primary, signal, async (session) =>
    GtidSet.parse(await executedGtids(session)).union(own ?? GtidSet.empty),
  );
  await untilHeldByOthers(now, { node, wanted, needed: shard.fullsyncLevel }, signal);
}

/** Everything the node has executed or received; null when it does not answer. */
async function stopReceiving(now: ShardNow, node: HostPort, signal: AbortSignal): Promise<GtidSet | null> {
  return answerOf(signal, () =>
    onNode(now, node, signal, async (session) => {
      if ((await readChannel(session)) !== null) await stopChannel(session);
      return transactionsOf(session);
    }),
  );
}

async function leave(now: ShardNow, node: StorageNode, signal: AbortSignal): Promise<void> {
  const known = await onNode(now, now.primary, signal, groupMembers);
  if (known.some((member) => member.primary && sameAddress(member, node))) {
    throw new KlusterError('storage_node_unsuited', `${colonAddress(node)} is the primary of its group`);
  }
  await answerOf(signal, () =>
    onNode(now, node, signal, async (session) => {
      if ((await ownGroupState(session)) !== 'OFFLINE') await leaveGroup(session);
    }),
  );
  await until(
    signal,
    expelWaitMs,
    `the group of ${now.shard.name} to go on without ${colonAddress(node)}`,
    async () => {
      const members = await onNode(now, now.primary, signal, groupMembers);
      return members.some((member) => sameAddress(member, node)) ? 'it is still a member' : true;
    },
  );
}
