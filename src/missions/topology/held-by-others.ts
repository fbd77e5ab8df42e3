import { GtidSet } from '../../core/gtid-set.ts';
import { colonAddress, type HostPort, sameAddress } from '../../core/model.ts';
import { executedGtids, receivedGtids } from '../../engines/mysql/gtid.ts';
import { EngineSqlError } from '../../engines/sql-error.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { onNode, type ShardNow } from './shard-now.ts';
import { until } from './until.ts';

const defaultWaitMs = 60_000;

/** What a replica has that is about to stop counting, and who else must have it. */
interface Holding {
  readonly node: HostPort;
  readonly wanted: GtidSet;
  /** How many others. */
  readonly needed: number;
  readonly waitMs?: number;
}

/**
 * rbr: waits until as many other replicas as are needed have everything. A write that only the node had acknowledged would
 * otherwise be lost together with the primary, and the proof of a failover, which no longer asks the node, would not
 * notice.
 * @throws KlusterError step_deadline
 */
export async function untilHeldByOthers(now: ShardNow, holding: Holding, signal: AbortSignal): Promise<void> {
  const { node, wanted, needed, waitMs = defaultWaitMs } = holding;
  const others = otherReplicas(now, holding);
  const goal = `${String(needed)} other replicas of ${now.shard.name} to have what ${colonAddress(node)} has`;
  await until(signal, waitMs, goal, async () => {
    const have = await Promise.all(others.map((other) => has(now, other, wanted, signal)));
    const enough = have.filter(Boolean).length;
    return enough >= needed ? true : `${String(enough)} have`;
  });
}

/** Those that acknowledge, without the node itself. */
function otherReplicas(now: ShardNow, { node }: Pick<Holding, 'node'>): readonly HostPort[] {
  const out = [now.primary, node];
  return now.nodes.filter(
    (candidate) => candidate.status === 'active' && !out.some((other) => sameAddress(other, candidate)),
  );
}

/** Everything that a server has executed or received. */
export async function transactionsOf(session: SqlSession): Promise<GtidSet> {
  const executed = GtidSet.parse(await executedGtids(session));
  return executed.union(GtidSet.parse(await receivedGtids(session)));
}

async function has(now: ShardNow, at: HostPort, wanted: GtidSet, signal: AbortSignal): Promise<boolean> {
  const found = await answerOf(signal, () => onNode(now, at, signal, transactionsOf));
  return found !== null && found.contains(wanted);
}

/** Null when the server does not answer. */
export async function answerOf<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof EngineSqlError) || !error.connectionLost) throw error;
    return null;
  }
}
