import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { Diagnosis, ShardState } from '../../../src/ha/diagnosis.ts';
import { isIsolated, isolationPatienceMs } from '../../../src/ha/isolated-primary.ts';
import type { NodeAnswer, ShardObservation } from '../../../src/ha/shard-observation.ts';
import { at, following, node, primary, replica, seen, shard } from '../../support/shard-observations.ts';

const deaf: NodeAnswer = { ...replica, channel: { ...following, heardMs: 1700 } };
const refused: NodeAnswer = {
  ...replica,
  channel: { ...following, receiverRunning: false, connecting: true, error: 'cannot connect' },
};
const astray: NodeAnswer = { ...deaf, channel: { ...following, source: at(3) } };
const fresh: NodeAnswer = { ...replica, channel: { ...following, heardMs: null } };
const stopped: NodeAnswer = { ...replica, channel: { ...following, receiverRunning: false } };
const broken: NodeAnswer = {
  ...deaf,
  channel: { ...following, heardMs: 9000, applierRunning: false, applierError: 'Duplicate entry' },
};

type Changes = Partial<ShardObservation>;

function diagnosed(replicas: readonly (NodeAnswer | null)[], changes: Changes = {}): Diagnosis {
  const needed = changes.acknowledgements ?? 1;
  const nodes = [
    seen(1, { ...primary, acknowledgements: needed, acknowledgers: replicas.length }),
    ...replicas.map((answer, index) => seen(index + 2, answer)),
  ];
  return diagnose({ ...shard, isolatedMs: isolationPatienceMs, fullsyncLevel: needed, nodes, ...changes });
}

describe('a primary that the manager reaches and its replicas do not', () => {
  it.for<readonly [string, readonly (NodeAnswer | null)[], Changes, ShardState, number | null]>([
    ['both replicas are deaf', [deaf, refused], {}, 'primary_isolated', 2],
    ['one of them has connected just now', [deaf, fresh], {}, 'replica_cut_off', null],
    ['one of them hears: commits go on', [refused, replica], {}, 'replica_cut_off', null],
    ['commits need two, and one hears', [deaf, replica], { acknowledgements: 2 }, 'primary_isolated', null],
    [
      'commits need two of three, and one hears',
      [deaf, refused, replica],
      { acknowledgements: 2 },
      'primary_isolated',
      2,
    ],
    ['it has lasted for a moment', [deaf, refused], { isolatedMs: 500 }, 'primary_isolated', null],
    [
      'a replica is silent: it may hear, and may have the newest write',
      [deaf, null],
      {},
      'replica_cut_off',
      null,
    ],
    [
      'two of three are deaf, and the silent one is not enough for a commit',
      [deaf, refused, null],
      { acknowledgements: 2 },
      'primary_isolated',
      null,
    ],
    [
      'a replica follows somebody else: it is made to follow first',
      [deaf, astray],
      {},
      'replica_astray',
      null,
    ],
    ['there is no other replica that could acknowledge', [deaf], {}, 'primary_isolated', null],
    [
      'an operator has stopped a third replica',
      [deaf, refused],
      { stopped: [node(4)] },
      'primary_isolated',
      null,
    ],
    [
      'automatic failover is suspended',
      [deaf, refused],
      { noSwitchUntil: new Date() },
      'primary_isolated',
      null,
    ],
    [
      'the shard fails over again and again',
      [deaf, refused],
      { recentFailovers: 3 },
      'primary_isolated',
      null,
    ],
    ['a replica does not even try: it is started first', [deaf, stopped], {}, 'replica_stopped', null],
    ['only one replica could go on', [deaf, broken], {}, 'replica_broken', null],
    ['commits need nobody', [deaf, refused], { acknowledgements: 0 }, 'replica_cut_off', null],
  ])('%s', ([, replicas, changes, state, quorum]) => {
    const { state: found, action } = diagnosed(replicas, changes);
    expect(found).toBe(state);
    if (quorum === null) expect(action?.kind).not.toBe('hand_over');
    else expect(action).toMatchObject({ kind: 'hand_over', node: { id: node(1).id }, quorum });
  });

  it('is given time when a replica reaches it again, unless it has refused that for long', () => {
    expect(diagnosed([deaf, refused]).action).toMatchObject({ unlessReached: true });
    expect(diagnosed([deaf, refused], { isolatedMs: 15_000 }).action).toMatchObject({ unlessReached: false });
  });

  it('is handed over rather than degraded when its replicas live', () => {
    const degrade = { enabled: true, afterSeconds: 5 };
    expect(diagnosed([deaf, refused], { degrade, starvedMs: 60_000 }).action?.kind).toBe('hand_over');
  });

  it('says who does not hear from it, why, and what it waits for', () => {
    const { reason } = diagnosed([refused], { stopped: [node(4)] });
    expect(reason).toContain('10.0.0.2:57001 does not hear from it (cannot connect)');
    expect(reason).toContain('1 of 2 replicas answer, 2 are needed');
  });

  it('is isolated also while it is closed: it would never be opened', () => {
    const closed = { ...primary, superReadOnly: true, acknowledgers: 0 };
    const nodes = [seen(1, closed), seen(2, deaf), seen(3, deaf)];
    expect(isIsolated({ ...shard, nodes }, { node: node(1), answer: closed })).toBe(true);
    expect(diagnose({ ...shard, nodes, isolatedMs: isolationPatienceMs })).toMatchObject({
      state: 'primary_isolated',
      action: { kind: 'hand_over' },
    });
  });
});
