import { describe, expect, it } from 'vitest';
import type { DiskReport } from '../../../src/core/agent-protocol.ts';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { Diagnosis } from '../../../src/ha/diagnosis.ts';
import type { NodeAnswer, NodeObservation, ShardObservation } from '../../../src/ha/shard-observation.ts';
import {
  groupMember,
  groupPrimary,
  instanceView,
  node,
  seen,
  shard,
} from '../../support/shard-observations.ts';

const member = groupMember(1, 2, 3);
const primary = groupPrimary(1, 2, 3);

function on(index: number, answer: NodeAnswer | null, state: DiskReport['state'] = 'room'): NodeObservation {
  const disk: DiskReport = { state, availableMb: state === 'full' ? 0 : 900, reason: null };
  return { ...seen(index, answer), agent: { silentMs: 300, instance: { ...instanceView(index), disk } } };
}

const diagnosed = (nodes: readonly NodeObservation[], changes: Partial<ShardObservation> = {}): Diagnosis =>
  diagnose({ ...shard, haMode: 'mgr', diskMs: 10_000, nodes, ...changes });

describe('a group whose primary cannot write', () => {
  it.for([
    ['full', 'primary_full'],
    ['frozen', 'primary_frozen'],
    ['failing', 'primary_frozen'],
  ] as const)('gets another by the end of its process: its disk is %s', ([disk, state]) => {
    expect(diagnosed([on(1, primary, disk), on(2, member), on(3, member)])).toMatchObject({
      state,
      action: { kind: 'kill', node: { id: node(1).id } },
      reason: expect.stringContaining('elects one of 10.0.0.2:57001, 10.0.0.3:57001'),
    });
  });

  it('gets another as well when the primary does not answer', () => {
    expect(diagnosed([on(1, null, 'frozen'), on(2, member), on(3, member)]).action?.kind).toBe('kill');
  });

  it.for<readonly [string, readonly NodeObservation[], Partial<ShardObservation>, string]>([
    ['so far for a moment', [on(2, member), on(3, member)], { diskMs: 100 }, 'for 100 of 3000 ms'],
    [
      'and another member has no room either',
      [on(2, member, 'full'), on(3, member)],
      {},
      'with a majority only',
    ],
    ['and another member does not answer', [on(2, null), on(3, member)], {}, 'with a majority only'],
    ['and no other member is online', [on(2, null), on(3, null)], {}, 'no member could go on'],
    ['and no failover is wanted', [on(2, member), on(3, member)], { noSwitchUntil: new Date() }, 'suspended'],
  ])('keeps it %s', ([, others, changes, reason]) => {
    const { state, action, reason: given } = diagnosed([on(1, primary, 'full'), ...others], changes);
    expect({ state, action }).toEqual({ state: 'primary_full', action: null });
    expect(given).toMatch(new RegExp(reason));
  });

  it('has another already: that is recorded first', () => {
    const moved = groupMember(2, 3);
    expect(diagnosed([on(1, null, 'frozen'), on(2, moved), on(3, moved)]).state).toBe('primary_moved');
  });
});
