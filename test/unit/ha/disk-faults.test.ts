import { describe, expect, it } from 'vitest';
import type { DiskReport, InstanceView } from '../../../src/core/agent-protocol.ts';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { Diagnosis, ShardAction, ShardState } from '../../../src/ha/diagnosis.ts';
import { isStarved } from '../../../src/ha/degrade.ts';
import type { NodeAnswer, NodeObservation, ShardObservation } from '../../../src/ha/shard-observation.ts';
import {
  following,
  instanceView,
  node,
  plain,
  primary,
  replica,
  seen,
  shard,
} from '../../support/shard-observations.ts';

type State = DiskReport['state'];

const reasons: Partial<Record<State, string>> = {
  frozen: 'a write has not come back for 5000 ms',
  failing: 'Read-only file system',
};

function reported(observed: NodeObservation, state: State, silentMs = 300): NodeObservation {
  const disk: DiskReport = { state, availableMb: state === 'full' ? 0 : 900, reason: reasons[state] ?? null };
  const instance: InstanceView = { ...instanceView(observed.node.id), disk };
  return { ...observed, agent: { silentMs, instance } };
}

const on = (index: number, answer: NodeAnswer | null, state: State, silentMs?: number): NodeObservation =>
  reported(seen(index, answer), state, silentMs);

const hung: NodeAnswer = { ...primary, commitsWaiting: 1 };
const closed: NodeAnswer = { ...plain, channel: null };

interface Case {
  readonly nodes: readonly NodeObservation[];
  readonly changes?: Partial<ShardObservation>;
  readonly state: ShardState;
  readonly action: ShardAction['kind'] | null;
}

const diagnosed = ({ nodes, changes }: Pick<Case, 'nodes' | 'changes'>): Diagnosis =>
  diagnose({ ...shard, diskMs: 10_000, nodes, ...changes });

const well = [on(2, replica, 'room'), on(3, replica, 'room')];

describe('a primary whose disk takes no writes', () => {
  it.for<readonly [string, Case]>([
    ['is full', { nodes: [on(1, hung, 'full'), ...well], state: 'primary_full', action: 'hand_over' }],
    [
      'does not answer',
      { nodes: [on(1, primary, 'frozen'), ...well], state: 'primary_frozen', action: 'hand_over' },
    ],
    [
      'is read-only',
      { nodes: [on(1, primary, 'failing'), ...well], state: 'primary_frozen', action: 'hand_over' },
    ],
    [
      'has been full for a moment',
      {
        nodes: [on(1, primary, 'full'), ...well],
        changes: { diskMs: 500 },
        state: 'primary_full',
        action: null,
      },
    ],
    [
      'has not answered for the five seconds that its agent waits',
      {
        nodes: [on(1, primary, 'frozen'), ...well],
        changes: { diskMs: 0 },
        state: 'primary_frozen',
        action: 'hand_over',
      },
    ],
    [
      'keeps its server from answering, which its replicas still hear',
      { nodes: [on(1, null, 'full'), ...well], state: 'primary_full', action: 'hand_over' },
    ],
    [
      'is full, and all its connections wait for it',
      {
        nodes: [{ ...on(1, null, 'full'), busy: true, failure: 'Too many connections' }, ...well],
        state: 'primary_full',
        action: 'hand_over',
      },
    ],
    [
      'is full like that of a replica: nobody would be left to acknowledge',
      {
        nodes: [on(1, hung, 'full'), on(2, replica, 'room'), on(3, replica, 'full')],
        state: 'primary_full',
        action: null,
      },
    ],
    [
      'is full, and a replica would be soon',
      {
        nodes: [on(1, hung, 'full'), on(2, replica, 'room'), on(3, replica, 'low')],
        state: 'primary_full',
        action: null,
      },
    ],
    [
      'is full, and a replica is silent, which may have the newest write',
      {
        nodes: [on(1, hung, 'full'), on(2, replica, 'room'), seen(3, null)],
        state: 'primary_full',
        action: null,
      },
    ],
    [
      'is full, and automatic failover is suspended',
      {
        nodes: [on(1, hung, 'full'), ...well],
        changes: { noSwitchUntil: new Date() },
        state: 'primary_full',
        action: null,
      },
    ],
    ['has little room left', { nodes: [on(1, primary, 'low'), ...well], state: 'healthy', action: null }],
    [
      'was full when its agent was last heard',
      { nodes: [on(1, primary, 'full', 5000), ...well], state: 'healthy', action: null },
    ],
  ])('%s', ([, wanted]) => {
    const { state, action } = diagnosed(wanted);
    expect({ state, action: action?.kind ?? null }).toEqual({ state: wanted.state, action: wanted.action });
  });

  it('hands over to those that have room only', () => {
    const nodes = [
      on(1, hung, 'full'),
      on(2, replica, 'room'),
      on(3, replica, 'full'),
      on(4, replica, 'room'),
    ];
    expect(diagnosed({ nodes }).action).toMatchObject({
      kind: 'hand_over',
      quorum: 3,
      replicas: [{ id: 2 }, { id: 3 }, { id: 4 }],
      candidates: [{ id: 2 }, { id: 4 }],
    });
  });

  it('says how much is left, and that a shard without replicas waits for room', () => {
    const { reason } = diagnosed({
      nodes: [on(1, hung, 'full')],
      changes: { haMode: 'no_rep', acknowledgements: 0 },
    });
    expect(reason).toContain('10.0.0.1:57001 has no room on its disk (0 MiB are left), so that writes wait');
  });
});

describe('another node whose disk takes no writes', () => {
  it.for<readonly [string, NodeObservation, ShardState]>([
    ['a replica', on(2, replica, 'full'), 'node_full'],
    [
      'a replica that has stopped: it could not be started',
      on(2, { ...replica, channel: { ...following, receiverRunning: false } }, 'full'),
      'node_full',
    ],
    ['the former primary, closed: it could not follow', on(2, closed, 'full'), 'node_full'],
    ['the former primary, which cannot start', on(2, null, 'full'), 'node_full'],
    ['a replica whose disk does not answer', on(2, replica, 'frozen'), 'node_frozen'],
  ])('%s is named and left alone', ([, other, state]) => {
    expect(diagnosed({ nodes: [seen(1, primary), other, seen(3, replica)] })).toMatchObject({
      state,
      action: null,
    });
  });

  it('the former primary, still open: it is closed first', () => {
    const nodes = [seen(1, primary), on(2, { ...closed, superReadOnly: false }, 'full'), seen(3, replica)];
    expect(diagnosed({ nodes }).state).toBe('second_writer');
  });

  it('the former primary, open on a disk that does not answer: it does not keep the next one from being replaced', () => {
    const former = on(2, { ...closed, superReadOnly: false }, 'frozen');
    const lost = { ...seen(1, null), agent: { silentMs: 0, instance: { ...instanceView(1), pid: null } } };
    const cut = { ...replica, channel: { ...following, receiverRunning: false } };
    const both = [former, seen(3, cut), seen(4, cut)];
    expect(diagnosed({ nodes: [lost, ...both], changes: { acknowledgements: 2 } }).state).toBe(
      'primary_lost',
    );
    expect(diagnosed({ nodes: [seen(1, primary), ...both] }).state).toBe('second_writer');
  });

  it('does not hide a replica that can be started', () => {
    const stopped = { ...replica, channel: { ...following, receiverRunning: false } };
    const nodes = [seen(1, primary), on(2, replica, 'full'), seen(3, stopped)];
    expect(diagnosed({ nodes })).toMatchObject({
      state: 'replica_stopped',
      action: { node: { id: node(3).id } },
    });
  });

  it('does not count for a commit that waits', () => {
    const waiting = { ...primary, acknowledgers: 2, commitsWaiting: 1 };
    const starved = (other: NodeObservation): boolean =>
      isStarved({ ...shard, nodes: [seen(1, waiting), other] }, { node: node(1), answer: waiting });
    expect(starved(on(2, replica, 'room'))).toBe(false);
    expect(starved(on(2, replica, 'full'))).toBe(true);
  });

  it('is named in a group as well', () => {
    const member: NodeAnswer = { ...plain, superReadOnly: false, groupState: 'ONLINE' };
    expect(
      diagnosed({ nodes: [on(1, member, 'room'), on(2, member, 'full')], changes: { haMode: 'mgr' } }).state,
    ).toBe('node_full');
  });
});
