import { errorText, KlusterError } from '../../core/errors/kluster-error.ts';
import { GtidSet } from '../../core/gtid-set.ts';
import { colonAddress, type HostPort, sameAddress, type StorageNode } from '../../core/model.ts';
import { readChannel } from '../../engines/mysql/channel.ts';
import { executedGtids } from '../../engines/mysql/gtid.ts';
import { ownGroupState } from '../../engines/mysql/group.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { numberOf } from '../../engines/sql.ts';
import { onNode, type ShardNow } from './shard-now.ts';

export interface SourceWish {
  /** Nodes that cannot be the source, because they are being cloned into. */
  readonly except: readonly HostPort[];
  /** Whether the primary may be read from when no replica is suited. */
  readonly allowPrimary: boolean;
  /** Seconds that a replica may be behind. */
  readonly maximumDelay: number;
}

/**
 * Where to clone from: the least delayed replica that serves, has nothing that the primary lacks, and is not too far
 * behind; otherwise the primary, when that is allowed.
 * @throws KlusterError no_clone_source, with the reason for each replica
 */
export async function chooseSource(
  now: ShardNow,
  wish: SourceWish,
  signal: AbortSignal,
): Promise<StorageNode> {
  const { primary, nodes, shard } = now;
  const replicas = nodes.filter((node) => node.id !== primary.id);
  const judged = await Promise.all(
    replicas.map(async (node) => ({ node, verdict: await judge(now, node, wish, signal) })),
  );
  const [best] = judged
    .flatMap(({ node, verdict }) => (typeof verdict === 'number' ? [{ node, delay: verdict }] : []))
    .toSorted((left, right) => left.delay - right.delay);
  if (best !== undefined) return best.node;
  if (wish.allowPrimary) return primary;
  const reasons = judged.map(({ node, verdict }) => `${colonAddress(node)} ${String(verdict)}`);
  throw new KlusterError(
    'no_clone_source',
    `no replica of ${shard.name} can be cloned from: ${reasons.join('; ') || 'there is no other one'}`,
  );
}

/** Seconds that the replica is behind, or why it is not suited. */
async function judge(
  now: ShardNow,
  node: StorageNode,
  wish: SourceWish,
  signal: AbortSignal,
): Promise<number | string> {
  if (wish.except.some((other) => sameAddress(other, node))) return 'is to be rebuilt itself';
  if (node.status !== 'active') return `is ${node.status}`;
  try {
    const own = await onNode(now, node, signal, async (session) => ({
      stopped: await whyStopped(session, now),
      delay: await applyDelay(session),
      gtids: GtidSet.parse(await executedGtids(session)),
    }));
    if (own.stopped !== null) return own.stopped;
    if (own.delay > wish.maximumDelay) {
      return `is ${String(Math.round(own.delay))} s behind, more than allow_replica_delay (${String(wish.maximumDelay)} s)`;
    }
    // Read after the replica's, so that everything which the replica got from the primary is in it.
    const primary = await onNode(now, now.primary, signal, executedGtids);
    const errant = own.gtids.subtract(GtidSet.parse(primary));
    return errant.isEmpty ? own.delay : `has transactions that the primary lacks: ${errant.toString()}`;
  } catch (error) {
    signal.throwIfAborted();
    return `does not answer: ${errorText(error)}`;
  }
}

async function whyStopped(session: SqlSession, now: ShardNow): Promise<string | null> {
  if (now.cluster.haMode === 'mgr') {
    const state = await ownGroupState(session);
    return state === 'ONLINE' ? null : `is ${state} in its group`;
  }
  const channel = await readChannel(session);
  if (channel?.receiverRunning === true && channel.applierRunning) return null;
  return 'does not replicate';
}

/** Age of the oldest transaction that is being applied; 0 when nothing is. */
async function applyDelay(session: SqlSession): Promise<number> {
  const [row] = await session.rows(
    `SELECT COALESCE(GREATEST(0, TIMESTAMPDIFF(MICROSECOND,
              MIN(NULLIF(APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0)), NOW(6))), 0) / 1000000 AS delay
       FROM performance_schema.replication_applier_status_by_worker WHERE APPLYING_TRANSACTION <> ''`,
  );
  return row === undefined ? 0 : numberOf(row, 'delay');
}
