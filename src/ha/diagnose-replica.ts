import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress, sameAddress, type StorageNode } from '../core/model.ts';
import { isStarved } from './degrade.ts';
import { diskTrouble } from './disk-word.ts';
import type { Diagnosis, RebuildAction } from './diagnosis.ts';
import type { Answered } from './shared-diagnoses.ts';
import { type NodeAnswer, type NodeObservation, type ShardObservation } from './shard-observation.ts';

/** It may be something that passes, or that somebody is mending. */
const rebuildAfterMs = 60_000;

/** The applier has stopped with an error. */
function isBroken(answer: NodeAnswer | null): boolean {
  const channel = answer?.channel ?? null;
  return channel !== null && channel.applierError !== null && !channel.applierRunning;
}

/** What a node that follows has of its own, and did not get from the primary: somebody wrote to it. */
function ownTransactions(replica: Answered, primary: Answered): GtidSet {
  const { channel } = replica.answer;
  if (channel === null || !sameAddress(channel.source, primary.node)) return GtidSet.empty;
  // What began at the primary may have arrived after the primary was asked.
  return errantOf(replica, primary).notOf(primary.answer.serverUuid);
}

/** Its replication has stopped with an error, or it was written to: only a rebuild mends it, unless whoever spoilt it does. */
export function isSpoilt(
  { node, answer }: Pick<NodeObservation, 'node' | 'answer'>,
  primary: Answered | undefined,
): boolean {
  if (answer === null || isBroken(answer)) return answer !== null;
  if (primary === undefined || node.id === primary.node.id) return false;
  return !ownTransactions({ node, answer }, primary).isEmpty;
}

type Replica = Answered & Pick<NodeObservation, 'brokenMs'>;

/**
 * Of several faults the one that can be mended at once comes first, then what takes a job: a node that nothing can be done
 * about must not hide the others.
 */
export function replicaFault(shard: ShardObservation, primary: Answered): Diagnosis | null {
  const faults = shard.nodes.flatMap((observed) => {
    const { node, answer, brokenMs } = observed;
    // What cannot write can neither be started nor made to follow.
    if (answer === null || node.id === primary.node.id || diskTrouble(observed) !== null) return [];
    return channelFault({ node, answer, brokenMs }, primary) ?? [];
  });
  faults.push(...shard.unfinished.map(unfinished));
  const atOnce = faults.find(({ action }) => action !== null && action.kind !== 'rebuild');
  const job = oneRebuild(faults, isStarved(shard, primary));
  if (atOnce === undefined) return job ?? faults[0] ?? null;
  return job?.action.urgent === true ? { ...atOnce, rebuild: job.action } : atOnce;
}

/** One job at a time; which of the nodes it is for, is decided when it is asked for. */
function oneRebuild(
  faults: readonly Diagnosis[],
  urgent: boolean,
): (Diagnosis & { readonly action: RebuildAction }) | null {
  const all = faults.flatMap(({ action, ...fault }) =>
    action?.kind === 'rebuild' ? [{ ...fault, action }] : [],
  );
  const [first, ...rest] = all;
  if (first === undefined) return null;
  const others = rest.map(({ action: { node, cause } }) => ({ node, cause }));
  return { ...first, action: { ...first.action, others, urgent } };
}

function rebuild(node: StorageNode, cause: string): RebuildAction {
  return { kind: 'rebuild', node, cause, others: [], urgent: false };
}

function channelFault(replica: Replica, primary: Answered): Diagnosis | null {
  const { node, answer, brokenMs } = replica;
  const at = colonAddress(node);
  const { channel } = answer;
  if (channel === null) return astray(replica, primary);
  const follows = sameAddress(channel.source, primary.node);
  const receives = channel.receiverRunning || channel.connecting;
  if (follows && receives && channel.applierRunning) {
    const own = ownTransactions(replica, primary);
    return own.isEmpty
      ? null
      : errantReplica(replica, primary, { errant: own, wait: brokenMs < rebuildAfterMs });
  }
  // Also of one that follows somebody else: its relay logs may go only after they are applied.
  if (isBroken(answer)) {
    const stopped = `replication on ${at} stopped: ${channel.applierError ?? ''}`;
    const wait = brokenMs < rebuildAfterMs;
    return {
      state: 'replica_broken',
      reason: wait
        ? `${stopped}; when it stays so, the node is made again from another one`
        : `${stopped}: making the node again from another one`,
      action: wait ? null : rebuild(node, 'broken'),
    };
  }
  if (!follows) return astray(replica, primary);
  return (
    behind(replica, primary) ?? {
      state: 'replica_stopped',
      reason: `replication on ${at} does not run, as after a restart: starting it`,
      action: { kind: 'start_replica', node },
    }
  );
}

/** Following would end at once with an error, however often it is begun. */
function behind({ node, answer }: Answered, primary: Answered): Diagnosis | null {
  const missing = GtidSet.parse(primary.answer.purged).subtract(GtidSet.parse(answer.gtids));
  if (missing.isEmpty) return null;
  return {
    state: 'replica_behind',
    reason:
      `${colonAddress(node)} lacks ${String(missing.size)} transactions that the primary ${colonAddress(primary.node)} has in no log ` +
      `any more (${missing.toString()}): making the node again from another one`,
    action: rebuild(node, 'behind'),
  };
}

function unfinished(node: StorageNode): Diagnosis {
  return {
    state: 'replica_unfinished',
    reason: `the job that was to make ${colonAddress(node)} has ended without that: making the node again from another one`,
    action: rebuild(node, 'unfinished'),
  };
}

const errantOf = (replica: Answered, primary: Answered): GtidSet =>
  GtidSet.parse(replica.answer.gtids).subtract(GtidSet.parse(primary.answer.gtids));

/**
 * Also of one that follows, which somebody wrote to: while it lives, no other node has the transactions of all, so that a failover
 * proves nobody, or makes what nobody was to see everybody's.
 */
function errantReplica(
  { node }: Answered,
  primary: Answered,
  { errant, wait }: { readonly errant: GtidSet; readonly wait: boolean },
): Diagnosis {
  const lacked = `transactions that the primary ${colonAddress(primary.node)} lacks (${errant.toString()})`;
  const has = `${colonAddress(node)} has ${String(errant.size)} ${lacked}`;
  return {
    state: 'replica_errant',
    reason: wait
      ? `${has}; when it stays so, they are saved, and the node is made again from another one`
      : `${has}: saving them, and making the node again from another one`,
    action: wait ? null : rebuild(node, `errant ${errant.toString()}`),
  };
}

/**
 * A node that follows somebody else, or nobody: the former primary, or a replica that missed a failover. An old primary
 * commits at its restart what no replica had acknowledged (MySQL bug 99370), so it is compared before it may follow.
 */
function astray(replica: Answered, primary: Answered): Diagnosis {
  const at = colonAddress(replica.node);
  const errant = errantOf(replica, primary);
  if (!errant.isEmpty) return errantReplica(replica, primary, { errant, wait: false });
  const lacking = behind(replica, primary);
  if (lacking !== null) return lacking;
  const { channel } = replica.answer;
  const source = channel === null ? 'nobody' : colonAddress(channel.source);
  return {
    state: 'replica_astray',
    reason: `${at} follows ${source} and has nothing that ${colonAddress(primary.node)} lacks: making it follow that`,
    action: { kind: 'follow', node: replica.node, primary: primary.node },
  };
}
