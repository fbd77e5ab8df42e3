import { GtidSet } from '../core/gtid-set.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type HaMode, sameAddress, type StorageNode } from '../core/model.ts';
import type { NodeLook } from './observe-node.ts';
import { type NodeAnswer } from './shard-observation.ts';

export interface Candidates {
  readonly haMode: HaMode;
  /** Acknowledgements per commit; counts with rbr only. */
  readonly fullsyncLevel: number;
  readonly primary: NodeLook;
  readonly others: readonly NodeLook[];
  /** Whether the machine of a node answers; tells a dead node from one that refuses. */
  isOnline(node: StorageNode): boolean;
}

const refusal = (code: number, message: string): KlusterError =>
  new KlusterError('switchover_refused', message, { code });

/**
 * The node that a planned switchover makes the primary: the one asked for, else the replica that has received most.
 * Pure. @throws KlusterError switchover_refused with the wire code of the rule that is broken
 */
export function chooseSuccessor(candidates: Candidates, assigned: StorageNode | null): StorageNode {
  const { primary, others, haMode, fullsyncLevel } = candidates;
  const at = colonAddress(primary.node);
  if (primary.answer === null) {
    throw refusal(
      70_029,
      `the primary ${at} does not answer (${primary.failure ?? 'no reason known'}): ` +
        'a planned switchover needs it; when it stays away, the shard fails over by itself',
    );
  }
  const fit = others.filter((other) => whyUnfit(candidates, other) === null);
  if (assigned !== null) requireFit(candidates, assigned);
  const [first] = fit;
  if (first === undefined) {
    throw refusal(70_006, `no replica could take over: ${reasons(candidates)}`);
  }
  if (haMode === 'rbr' && fit.length < fullsyncLevel) {
    throw refusal(
      70_007,
      `${String(fit.length)} replicas acknowledge what ${at} commits, ${String(fullsyncLevel)} are needed ` +
        `also after a switchover: ${reasons(candidates)}`,
    );
  }
  return assigned ?? mostAdvanced(fit).node;
}

function requireFit(candidates: Candidates, assigned: StorageNode): void {
  const observed = candidates.others.find(({ node }) => node.id === assigned.id);
  const at = colonAddress(assigned);
  if (observed === undefined) {
    throw refusal(70_034, `${at} is not a replica of the shard that serves`);
  }
  if (observed.answer === null) {
    const failure = observed.failure ?? 'no reason known';
    throw candidates.isOnline(assigned)
      ? refusal(70_021, `${at} cannot be connected to: ${failure}`)
      : refusal(70_019, `${at} is not alive, nor is the agent of its machine: ${failure}`);
  }
  const unfit = whyUnfit(candidates, observed);
  if (unfit !== null) throw refusal(70_177, `${at} ${unfit}`);
}

function reasons(candidates: Candidates): string {
  const unfit = candidates.others.flatMap((other) => {
    const why = whyUnfit(candidates, other);
    return why === null ? [] : [`${colonAddress(other.node)} ${why}`];
  });
  return unfit.length === 0 ? 'there are no more' : unfit.join('; ');
}

/** Why a node cannot take over, as the rest of a sentence; null when it can. */
function whyUnfit({ haMode, primary }: Candidates, { answer, failure }: NodeLook): string | null {
  if (answer === null) return `does not answer (${failure ?? 'no reason known'})`;
  return haMode === 'mgr' ? whyNotInGroup(answer) : whyNotInSync(answer, primary.node);
}

function whyNotInGroup({ groupState }: NodeAnswer): string | null {
  return groupState === 'ONLINE' ? null : `is ${groupState} in its group`;
}

function whyNotInSync({ channel, acknowledges }: NodeAnswer, primary: StorageNode): string | null {
  if (channel === null || !sameAddress(channel.source, primary)) return 'does not follow the primary';
  if (!channel.receiverRunning) return 'does not receive from the primary';
  if (!channel.applierRunning)
    return `does not apply what it receives: ${channel.error ?? 'its applier is stopped'}`;
  return acknowledges ? null : 'receives, but does not acknowledge';
}

/** The one whose transactions include those of the others; when none does, as while they arrive, the one with most. */
function mostAdvanced(fit: readonly NodeLook[]): NodeLook {
  const sets = fit.map((observed) => ({ observed, gtids: GtidSet.parse(observed.answer?.gtids ?? '') }));
  const best = sets.reduce((left, right) => {
    if (right.gtids.contains(left.gtids) && !left.gtids.contains(right.gtids)) return right;
    if (left.gtids.contains(right.gtids)) return left;
    return right.gtids.size > left.gtids.size ? right : left;
  });
  return best.observed;
}
