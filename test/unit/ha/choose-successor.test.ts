import { describe, expect, it } from 'vitest';
import type { HaMode } from '../../../src/core/model.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { chooseSuccessor, type Candidates } from '../../../src/ha/choose-successor.ts';
import type { NodeAnswer } from '../../../src/ha/shard-observation.ts';
import {
  at,
  following,
  node,
  plain,
  primary,
  replica,
  seen,
  uuid,
} from '../../support/shard-observations.ts';

const behind: NodeAnswer = { ...replica, gtids: `${uuid}:1-9` };
const ahead: NodeAnswer = { ...replica, gtids: `${uuid}:1-10` };
const apart: NodeAnswer = { ...replica, gtids: `${uuid}:1-3:10` };
const silentToo: NodeAnswer = { ...replica, acknowledges: false };
const elsewhere: NodeAnswer = { ...replica, channel: { ...following, source: at(3) } };
const deaf: NodeAnswer = { ...replica, channel: { ...following, receiverRunning: false } };
const stuck: NodeAnswer = {
  ...replica,
  channel: { ...following, applierRunning: false, error: 'Duplicate entry' },
};
const astray: NodeAnswer = { ...replica, channel: null };

interface Situation {
  readonly others: readonly (NodeAnswer | null)[];
  readonly haMode?: HaMode;
  readonly fullsyncLevel?: number;
  readonly source?: NodeAnswer | null;
  readonly machinesOnline?: boolean;
}

function choose(situation: Situation, assigned?: number): number {
  const { others, haMode = 'rbr', fullsyncLevel = 1, source = primary, machinesOnline = true } = situation;
  const candidates: Candidates = {
    haMode,
    fullsyncLevel,
    primary: seen(1, source),
    others: others.map((answer, index) => seen(index + 2, answer)),
    isOnline: () => machinesOnline,
  };
  return chooseSuccessor(candidates, assigned === undefined ? null : node(assigned)).id;
}

/** The wire code that a switchover is refused with. */
function refusal(situation: Situation, assigned?: number): number | undefined {
  try {
    choose(situation, assigned);
  } catch (error) {
    if (error instanceof KlusterError && error.kind === 'switchover_refused') return error.code;
    throw error;
  }
  return undefined;
}

describe('the successor of a planned switchover', () => {
  it.for<readonly [string, Situation, number | undefined, number]>([
    ['is the one asked for, also when another has more', { others: [behind, ahead] }, 2, 2],
    ['is the one that has the transactions of the others', { others: [behind, ahead] }, undefined, 3],
    ['is that also when it comes first', { others: [ahead, behind] }, undefined, 2],
    ['is the one with most, while none has those of the others', { others: [apart, behind] }, undefined, 3],
    ['is any of equals', { others: [ahead, ahead] }, undefined, 2],
    [
      'does not acknowledge with mgr: it is ONLINE',
      { others: [{ ...plain, groupState: 'ONLINE' }], haMode: 'mgr' },
      undefined,
      2,
    ],
    ['is the only one that is fit', { others: [null, ahead] }, undefined, 3],
  ])('%s', ([, situation, assigned, expected]) => {
    expect(choose(situation, assigned)).toBe(expected);
  });

  it.for<readonly [string, Situation, number | undefined, number]>([
    ['the primary does not answer', { others: [ahead], source: null }, undefined, 70_029],
    ['there is no other node', { others: [] }, undefined, 70_006],
    ['none answers', { others: [null, null] }, undefined, 70_006],
    ['none follows', { others: [astray, elsewhere] }, undefined, 70_006],
    ['none receives', { others: [deaf] }, undefined, 70_006],
    ['none applies', { others: [stuck] }, undefined, 70_006],
    ['none acknowledges', { others: [silentToo] }, undefined, 70_006],
    [
      'no member is ONLINE',
      { others: [{ ...plain, groupState: 'RECOVERING' }], haMode: 'mgr' },
      undefined,
      70_006,
    ],
    ['too few are left to acknowledge', { others: [ahead, null], fullsyncLevel: 2 }, undefined, 70_007],
    ['the one asked for is no replica', { others: [ahead] }, 4, 70_034],
    ['the one asked for cannot be connected to', { others: [null, ahead] }, 2, 70_021],
    ['its machine is silent too', { others: [null, ahead], machinesOnline: false }, 2, 70_019],
    ['the one asked for is not fit', { others: [deaf, ahead] }, 2, 70_177],
  ])('is refused when %s', ([, situation, assigned, code]) => {
    expect(refusal(situation, assigned)).toBe(code);
  });
});
