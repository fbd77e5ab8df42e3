import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import { answered, type Answered } from './shared-diagnoses.ts';
import { sameAddress, type NodeObservation, type ShardObservation } from './shard-observation.ts';

export function replicaFault(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  for (const { node, answer } of answered(shard.nodes)) {
    if (node.id === primary.node.id || primary.answer === null) continue;
    const fault = channelFault({ node, answer }, { node: primary.node, answer: primary.answer });
    if (fault !== null) return fault;
  }
  return null;
}

function channelFault({ node, answer }: Answered, primary: Answered): Diagnosis | null {
  const at = colonAddress(node);
  const { channel } = answer;
  if (channel === null) return astray({ node, answer }, primary);
  const follows = sameAddress(channel.source, primary.node);
  if (follows && channel.receiverRunning && channel.applierRunning) return null;
  // Also of one that follows somebody else: its relay logs may go only after they are applied.
  if (channel.error !== null && !channel.applierRunning) {
    return {
      state: 'replica_broken',
      reason: `replication on ${at} stopped: ${channel.error}`,
      action: null,
    };
  }
  if (!follows) return astray({ node, answer }, primary);
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
      reason: `${at} has ${String(errant.size)} transactions that the primary ${colonAddress(primary.node)} lacks: ${errant.toString()}`,
      action: null,
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
