import { KlusterError } from '../../core/errors/kluster-error.ts';
import { GtidSet } from '../../core/gtid-set.ts';
import { type HostPort, sameAddress, type StorageNode } from '../../core/model.ts';
import { executedGtids, purgedGtids } from '../../engines/mysql/gtid.ts';
import { readSemiSync } from '../../engines/mysql/semi-sync.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { untilHeldByOthers } from './held-by-others.ts';
import { onNode, type ShardNow } from './shard-now.ts';

/** Before the node is taken out, while the health loop may still bring others back that have what it has. */
const beforeMs = 30_000;
/** While nobody else decides about the shard. */
const waitMs = 20_000;

/** What the primary says when a replica of it is taken out. */
export interface PrimaryNow {
  readonly executed: string;
  /** Executed transactions that it cannot send any more. */
  readonly purged: string;
  /** Replicas that are connected to it and may acknowledge. */
  readonly acknowledgers: number;
}

export async function primaryOf(session: SqlSession): Promise<PrimaryNow> {
  return {
    executed: await executedGtids(session),
    purged: await purgedGtids(session),
    acknowledgers: (await readSemiSync(session)).clients,
  };
}

interface Entrusted {
  /** It receives nothing more. */
  readonly node: HostPort;
  /** Nodes that are rebuilt after it in the same job. */
  readonly except: readonly HostPort[];
  /** Without being made again. */
  readonly canAcknowledge: boolean;
  readonly primary: PrimaryNow;
}

/**
 * rbr: a replica may lose its data once as many others as a commit needs acknowledgements have everything; all others, when
 * there are fewer. Two cases go on without that, and leave a replica that a failover must go on counting on:
 *
 * - no write can end, and the node could not acknowledge as it is: waiting for others that may never return would end nothing;
 * - all others are to be rebuilt as well.
 *
 * @returns whether it is such an absent holder
 * @throws KlusterError step_deadline when the others do not get it
 */
export async function entrust(now: ShardNow, entrusted: Entrusted, signal: AbortSignal): Promise<boolean> {
  const { node, except, canAcknowledge, primary } = entrusted;
  if (now.cluster.haMode !== 'rbr' || isOutAlready(now, node)) return false;
  const cannotWait = !canAcknowledge && primary.acknowledgers < now.shard.acknowledgements;
  const wanted = GtidSet.parse(primary.executed);
  try {
    await untilHeldByOthers(
      now,
      { node, wanted, needed: needed(now, node), waitMs: cannotWait ? 0 : waitMs },
      signal,
    );
    return false;
  } catch (error) {
    if (!isDeadline(error)) throw error;
    const others = counting(now, node).filter((other) => !except.some((out) => sameAddress(out, other)));
    if (cannotWait || others.length === 0) return true;
    throw error;
  }
}

/** Gives other replicas time to get what they need for `entrust`; it asks again. */
export async function awaitHolders(now: ShardNow, node: HostPort, signal: AbortSignal): Promise<void> {
  if (now.cluster.haMode !== 'rbr' || isOutAlready(now, node)) return;
  const others = counting(now, node).filter(({ status }) => status === 'active');
  if (others.length < needed(now, node)) return;
  const wanted = GtidSet.parse(await onNode(now, now.primary, signal, executedGtids));
  try {
    await untilHeldByOthers(now, { node, wanted, needed: needed(now, node), waitMs: beforeMs }, signal);
  } catch (error) {
    if (!isDeadline(error)) throw error;
  }
}

const needed = (now: ShardNow, node: HostPort): number =>
  Math.min(now.shard.acknowledgements, counting(now, node).length);

/** The other replicas that the proof of a failover counts on. */
function counting(now: ShardNow, node: HostPort): readonly StorageNode[] {
  return now.nodes.filter(
    (other) =>
      other.id !== now.primary.id &&
      !sameAddress(other, node) &&
      (other.isAbsentHolder || (other.status !== 'creating' && other.status !== 'deleted')),
  );
}

/** It lost its data before, and no failover counts on it. */
function isOutAlready(now: ShardNow, node: HostPort): boolean {
  const self = now.nodes.find((candidate) => sameAddress(candidate, node));
  return self?.status === 'creating' && !self.isAbsentHolder;
}

const isDeadline = (error: unknown): boolean =>
  error instanceof KlusterError && error.kind === 'step_deadline';
