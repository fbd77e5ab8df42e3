import { colonAddress, type StorageNode } from '../core/model.ts';
import { demanded, dueChange, heldPrimary, isStarved, pendingStarvation } from './degrade.ts';
import { otherDisk, primaryDisk } from './disk-faults.ts';
import { diskTrouble } from './disk-word.ts';
import { replicaFault } from './diagnose-replica.ts';
import { cutOffReplica, isolatedPrimary } from './isolated-primary.ts';
import type { Diagnosis } from './diagnosis.ts';
import { answered, healthy, staleRoute, unreachableNode, type Answered } from './shared-diagnoses.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';
import { silentPrimary } from './silent-primary.ts';
import { unheardCommits } from './unheard-commits.ts';

/** no_rep and rbr: the catalog says who the primary is. */
export function diagnoseSource(shard: ShardObservation): Diagnosis {
  const primary = shard.nodes.find(({ node }) => node.memberState === 'source');
  if (primary === undefined) {
    const stopped = shard.stopped.find(({ memberState }) => memberState === 'source');
    if (stopped !== undefined) {
      return {
        state: 'primary_stopped',
        reason: `the primary ${colonAddress(stopped)} was stopped by an operator: it waits to be started again`,
        action: null,
      };
    }
    return {
      state: 'primary_unreachable',
      reason: `${shard.name} has no recorded primary`,
      action: null,
    };
  }
  return (
    secondWriter(shard, primary.node, (node) => !cannotBeClosed(node)) ??
    primaryFault(shard, primary) ??
    staleRoute(shard, primary.node) ??
    dueHandOver(shard, primary) ??
    secondWriter(shard, primary.node, cannotBeClosed) ??
    ofAnswered(primary, (answering) => dueChange(shard, answering)) ??
    ofAnswered(primary, (answering) => unheardCommits(shard, answering)) ??
    ofAnswered(primary, (answering) => heldPrimary(shard, answering, replicaFault(shard, answering))) ??
    ofAnswered(primary, (answering) => replicaFault(shard, answering)) ??
    primaryDisk(shard, primary) ??
    isolatedPrimary(shard, primary) ??
    ofAnswered(primary, (answering) => pendingStarvation(shard, answering)) ??
    ofAnswered(primary, (answering) => cutOffReplica(shard, answering)) ??
    otherDisk(shard) ??
    unreachableNode(shard) ??
    healthy
  );
}

/** When a primary that lives has to give its role away, nothing else mends the shard. */
function dueHandOver(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  const diagnoses = [primaryDisk(shard, primary), isolatedPrimary(shard, primary)];
  return diagnoses.find((diagnosis) => diagnosis !== null && diagnosis.action !== null) ?? null;
}

/** Its disk holds up whoever tries. It is fenced, and must not keep the primary from being replaced. */
const cannotBeClosed = (node: NodeObservation): boolean => diskTrouble(node) === 'frozen';

function secondWriter(
  shard: ShardObservation,
  primary: StorageNode,
  isMeant: (node: NodeObservation) => boolean,
): Diagnosis | null {
  const writer = answered(shard.nodes.filter(isMeant)).find(
    ({ node, answer }) => node.id !== primary.id && !answer.superReadOnly,
  );
  if (writer === undefined) return null;
  return {
    state: 'second_writer',
    reason: `${colonAddress(writer.node)} accepts writes, but the primary is ${colonAddress(primary)}: closing it`,
    action: { kind: 'close', node: writer.node },
  };
}

function primaryFault(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  const wanted = shard.haMode === 'rbr' ? demanded(shard) : 0;
  const at = colonAddress(primary.node);
  if (primary.answer === null) return dueHandOver(shard, primary) ?? silentPrimary(shard, primary);
  const closed = (reason: string): Diagnosis => {
    return { state: 'primary_closed', reason, action: { kind: 'open', node: primary.node } };
  };
  const { superReadOnly, acknowledgements, channel } = primary.answer;
  if (superReadOnly && !isStarved(shard, { node: primary.node, answer: primary.answer })) {
    return closed(`the primary ${at} is read-only, as after a restart: opening it`);
  }
  // Also of one that stays closed: it lets prepared transactions be committed.
  if (acknowledgements < wanted) {
    return closed(
      `commits on ${at} wait for ${String(acknowledgements)} acknowledgements instead of ${String(wanted)}: setting it`,
    );
  }
  if (channel === null) return null;
  return closed(`the primary ${at} still has the channel to its former source: taking it away`);
}

function ofAnswered(
  { node, answer }: NodeObservation,
  judge: (primary: Answered) => Diagnosis | null,
): Diagnosis | null {
  return answer === null ? null : judge({ node, answer });
}
