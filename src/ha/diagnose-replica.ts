import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress } from '../core/model.ts';
import { diskTrouble } from './disk-word.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { Answered } from './shared-diagnoses.ts';
import {
  sameAddress,
  type NodeAnswer,
  type NodeObservation,
  type ShardObservation,
} from './shard-observation.ts';

/** Replication may have stopped because of something that passes, or that somebody is mending. */
const rebuildAfterMs = 60_000;

/** The applier has stopped with an error. */
export function isBroken(answer: NodeAnswer | null): boolean {
  const channel = answer?.channel ?? null;
  return channel !== null && channel.applierError !== null && !channel.applierRunning;
}

/**
 * Of several faults the one that can be mended at once comes first, then what takes a job: a node that nothing can be done
 * about must not hide the others.
 */
export function replicaFault(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  const { node: source, answer: ofSource } = primary;
  if (ofSource === null) return null;
  const faults = shard.nodes.flatMap((observed) => {
    const { node, answer, brokenMs } = observed;
    // What cannot write can neither be started nor made to follow.
    if (answer === null || node.id === source.id || diskTrouble(observed) !== null) return [];
    return channelFault({ node, answer, brokenMs }, { node: source, answer: ofSource }) ?? [];
  });
  return (
    faults.find(({ action }) => action !== null && action.kind !== 'rebuild') ??
    faults.find(({ action }) => action !== null) ??
    faults[0] ??
    null
  );
}

type Replica = Answered & Pick<NodeObservation, 'brokenMs'>;

function channelFault(replica: Replica, primary: Answered): Diagnosis | null {
  const { node, answer, brokenMs } = replica;
  const at = colonAddress(node);
  const { channel } = answer;
  if (channel === null) return astray(replica, primary);
  const follows = sameAddress(channel.source, primary.node);
  const receives = channel.receiverRunning || channel.connecting;
  if (follows && receives && channel.applierRunning) return null;
  // Also of one that follows somebody else: its relay logs may go only after they are applied.
  if (isBroken(answer)) {
    const stopped = `replication on ${at} stopped: ${channel.applierError ?? ''}`;
    const wait = brokenMs < rebuildAfterMs;
    return {
      state: 'replica_broken',
      reason: wait
        ? `${stopped}; when it stays so, the node is made again from another one`
        : `${stopped}: making the node again from another one`,
      action: wait ? null : { kind: 'rebuild', node, cause: 'broken' },
    };
  }
  if (!follows) return astray(replica, primary);
  return {
    state: 'replica_stopped',
    reason: `replication on ${at} does not run, as after a restart: starting it`,
    action: { kind: 'start_replica', node },
  };
}

/**
 * A node that follows somebody else, or nobody: the former primary, or a replica that missed a failover. An old primary
 * commits at its restart what no replica had acknowledged (MySQL bug 99370), so it is compared before it may follow.
 */
function astray(replica: Answered, primary: Answered): Diagnosis {
  const at = colonAddress(replica.node);
  const errant = GtidSet.parse(replica.answer.gtids).subtract(GtidSet.parse(primary.answer.gtids));
  if (!errant.isEmpty) {
    return {
      state: 'replica_errant',
      reason: `${at} has ${String(errant.size)} transactions that the primary ${colonAddress(primary.node)} lacks (${errant.toString()}): saving them, and making the node again from another one`,
      action: { kind: 'rebuild', node: replica.node, cause: `errant ${errant.toString()}` },
    };
  }
  const { channel } = replica.answer;
  const source = channel === null ? 'nobody' : colonAddress(channel.source);
  return {
    state: 'replica_astray',
    reason: `${at} follows ${source} and has nothing that ${colonAddress(primary.node)} lacks: making it follow that`,
    action: { kind: 'follow', node: replica.node, primary: primary.node },
  };
}
