import { colonAddress } from '../core/model.ts';
import { diskTrouble, diskWords, type DiskTrouble } from './disk-word.ts';
import type { Diagnosis, ShardState } from './diagnosis.ts';
import { handOverOrWait, type Trouble } from './hand-over-decision.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';

interface Rule {
  readonly state: ShardState;
  /** On top of the time until its agent says so: two seconds, and five more for a write that does not come back. */
  readonly patienceMs: number;
}

/** A file of a moment may have filled the disk; a disk that has not answered for seconds is given no more time. */
const rules: Readonly<Record<DiskTrouble, Rule>> = {
  full: { state: 'primary_full', patienceMs: 3000 },
  frozen: { state: 'primary_frozen', patienceMs: 0 },
  failing: { state: 'primary_frozen', patienceMs: 0 },
};

/** The primary cannot write: it hands over, or the reason says why not; null when it can. Whether it answers does not matter. */
export function primaryDisk(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  const trouble = primaryDiskTrouble(shard, primary);
  return trouble === null ? null : handOverOrWait(shard, primary, trouble);
}

/** What its agent says of the disk of a primary that is open for writes; null: nothing is wrong. */
export function primaryDiskTrouble(shard: ShardObservation, primary: NodeObservation): Trouble | null {
  const trouble = diskTrouble(primary);
  if (trouble === null || primary.answer?.superReadOnly === true) return null;
  const { state, patienceMs } = rules[trouble];
  return {
    state,
    what: `the primary ${colonAddress(primary.node)} ${diskWords(primary)}, so that writes wait`,
    ms: shard.diskMs,
    neededMs: patienceMs,
  };
}

/** Another node than the primary cannot write: it does not acknowledge, and what its server needs has to wait. */
export function otherDisk({ nodes }: ShardObservation): Diagnosis | null {
  const found = nodes.find((node) => diskTrouble(node) !== null);
  if (found === undefined) return null;
  const then =
    found.answer === null ? 'its agent starts it when it can write' : 'it goes on when it can write';
  return {
    state: diskTrouble(found) === 'full' ? 'node_full' : 'node_frozen',
    reason: `${colonAddress(found.node)} ${diskWords(found)}: ${then}`,
    action: null,
  };
}
