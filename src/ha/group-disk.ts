import { colonAddress } from '../core/model.ts';
import { primaryDiskTrouble } from './disk-faults.ts';
import { hasRoom } from './disk-word.ts';
import type { Diagnosis } from './diagnosis.ts';
import { whyNotYet, type Trouble } from './hand-over-decision.ts';
import { addresses, answered, type Answered } from './shared-diagnoses.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';

/**
 * mgr: the primary cannot write. Its group does not notice, because it goes on sending messages, and to move the role in
 * order it would have to end its writes first. So its process is ended: the group expels it and elects another, which
 * has every acknowledged write.
 */
export function groupPrimaryDisk(shard: ShardObservation): Diagnosis | null {
  const primary = shard.nodes.find(({ node }) => node.memberState === 'source');
  const trouble = primary === undefined ? null : primaryDiskTrouble(shard, primary);
  if (primary === undefined || trouble === null) return null;
  const { state, what } = trouble;
  const heirs = heirsOf(shard, primary);
  const wait = hindrance(shard, heirs, trouble);
  if (wait !== null) return { state, reason: `${what}; ${wait}`, action: null };
  return {
    state,
    reason: `${what}: ending ${colonAddress(primary.node)}, so that the group elects one of ${addresses(heirs)}`,
    action: { kind: 'kill', node: primary.node },
  };
}

/** The members that go on without the primary. */
function heirsOf(shard: ShardObservation, primary: NodeObservation): readonly Answered[] {
  const others = shard.nodes.filter((other) => other !== primary && hasRoom(other));
  return answered(others).filter(({ answer }) => answer.groupState === 'ONLINE');
}

function hindrance(shard: ShardObservation, heirs: readonly Answered[], trouble: Trouble): string | null {
  const members = Math.max(0, ...heirs.map(({ answer }) => answer.group.length));
  if (heirs.length * 2 <= members || heirs.length === 0) {
    return (
      `${heirs.length === 0 ? 'no member' : `only ${addresses(heirs)}`} could go on, ` +
      `and a group of ${String(members)} goes on with a majority only`
    );
  }
  return whyNotYet(shard, trouble);
}
