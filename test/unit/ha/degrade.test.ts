import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { Diagnosis, ShardAction, ShardState } from '../../../src/ha/diagnosis.ts';
import { isStarved } from '../../../src/ha/degrade.ts';
import type { NodeAnswer, ShardObservation } from '../../../src/ha/shard-observation.ts';
import { following, node, primary, replica, seen, shard, uuid } from '../../support/shard-observations.ts';

const on = { enabled: true, afterSeconds: 25 };
const alone: NodeAnswer = { ...primary, acknowledgers: 0 };

interface Situation {
  readonly source: NodeAnswer | null;
  /** Of nodes 2 and 3. */
  readonly replicas: readonly [NodeAnswer | null, NodeAnswer | null];
}

function diagnosed({ source, replicas }: Situation, changes: Partial<ShardObservation> = {}): Diagnosis {
  const nodes = [seen(1, source), seen(2, replicas[0]), seen(3, replicas[1])];
  return diagnose({ ...shard, nodes, ...changes });
}

describe('degrading', () => {
  it('lowers what commits wait for after the time, when it is allowed', () => {
    const lost: Situation = { source: alone, replicas: [null, null] };
    expect(diagnosed(lost, { degrade: on, starvedMs: 25_000 })).toMatchObject({
      state: 'primary_starved',
      action: { kind: 'set_acknowledgements', node: { id: node(1).id }, from: 1, to: 0 },
    });
    expect(diagnosed(lost, { degrade: on, starvedMs: 24_000 })).toMatchObject({
      state: 'primary_starved',
      action: null,
    });
    const off = diagnosed(lost, { degrade: { ...on, enabled: false }, starvedMs: 3_600_000 });
    expect(off).toMatchObject({ state: 'primary_starved', action: null });
    expect(off.reason).toContain('conf_degrade_state is OFF');
  });

  it('keeps the acknowledgements that can still be had', () => {
    const source = { ...primary, acknowledgements: 2, acknowledgers: 1 };
    const changes = { fullsyncLevel: 2, acknowledgements: 2, degrade: on, starvedMs: 30_000 };
    expect(diagnosed({ source, replicas: [replica, null] }, changes).action).toMatchObject({
      from: 2,
      to: 1,
    });
  });

  it('does not count a replica that is connected and hangs, once commits wait', () => {
    const judged = (commitsWaiting: number): boolean => {
      const source = { ...primary, acknowledgers: 2, commitsWaiting };
      const nodes = [seen(1, source), seen(2, null), seen(3, null)];
      return isStarved({ ...shard, nodes }, { node: node(1), answer: source });
    };
    // Nobody answers the manager, but commits go through.
    expect(judged(0)).toBe(false);
    expect(judged(3)).toBe(true);
  });

  it('starts a replica that can be started before it thinks of degrading', () => {
    const stopped: NodeAnswer = {
      ...replica,
      acknowledges: false,
      channel: replica.channel && { ...replica.channel, receiverRunning: false, applierRunning: false },
    };
    expect(
      diagnosed({ source: alone, replicas: [stopped, null] }, { degrade: on, starvedMs: 1000 }),
    ).toMatchObject({ state: 'replica_stopped', action: { kind: 'start_replica' } });
  });
});

describe('a closed primary', () => {
  const closed: NodeAnswer = { ...primary, superReadOnly: true, acknowledgers: 0 };
  const stopped: NodeAnswer = {
    ...replica,
    acknowledges: false,
    channel: replica.channel && { ...replica.channel, receiverRunning: false, applierRunning: false },
  };
  const astray: NodeAnswer = { ...replica, acknowledges: false, channel: null };
  const errant: NodeAnswer = { ...astray, gtids: `${uuid}:1-11` };
  const behind: NodeAnswer = { ...astray, gtids: `${uuid}:1-4` };
  const purging: NodeAnswer = { ...closed, purged: `${uuid}:1-5` };

  it.for<
    readonly [string, Situation, Partial<ShardObservation>, ShardState, ShardAction['kind'] | null, number?]
  >([
    [
      'is opened when a replica receives',
      { source: { ...closed, acknowledgers: 1 }, replicas: [replica, null] },
      {},
      'primary_closed',
      'open',
      1,
    ],
    ['waits without replicas', { source: closed, replicas: [null, null] }, {}, 'primary_held', null],
    [
      'waits for all that a commit needs',
      { source: { ...closed, acknowledgements: 2, acknowledgers: 1 }, replicas: [replica, null] },
      { fullsyncLevel: 2, acknowledgements: 2 },
      'primary_held',
      null,
    ],
    [
      'that commits nobody waits for is opened without any',
      { source: { ...closed, acknowledgements: 0 }, replicas: [null, null] },
      { acknowledgements: 0, degrade: on },
      'primary_closed',
      'open',
      1,
    ],
    [
      'is told first what its commits have to wait for',
      { source: { ...closed, acknowledgements: 0 }, replicas: [null, null] },
      {},
      'primary_closed',
      'open',
      1,
    ],
    [
      'first applies what it received as a replica',
      { source: { ...closed, channel: { ...following, receiverRunning: false } }, replicas: [null, null] },
      {},
      'primary_closed',
      'open',
      1,
    ],
    [
      'lets a replica be started',
      { source: closed, replicas: [stopped, null] },
      {},
      'primary_held',
      'start_replica',
      2,
    ],
    ['lets a replica follow', { source: closed, replicas: [null, astray] }, {}, 'primary_held', 'follow', 3],
    [
      'lets a replica be rebuilt that has too much',
      { source: closed, replicas: [errant, null] },
      {},
      'primary_held',
      'rebuild',
      2,
    ],
    [
      'lets a replica be rebuilt that lacks what is in no log any more',
      { source: purging, replicas: [null, behind] },
      {},
      'primary_held',
      'rebuild',
      3,
    ],
    [
      'lets a node be rebuilt whose job has failed',
      { source: closed, replicas: [null, null] },
      { unfinished: [node(4)] },
      'primary_held',
      'rebuild',
      4,
    ],
    [
      'degrades like an open one',
      { source: closed, replicas: [null, null] },
      { degrade: on, starvedMs: 25_000 },
      'primary_starved',
      'set_acknowledgements',
      1,
    ],
    [
      'does not degrade before its time',
      { source: closed, replicas: [null, null] },
      { degrade: on, starvedMs: 24_000 },
      'primary_held',
      null,
    ],
  ])('%s', ([, situation, changes, state, action, on]) => {
    const diagnosis = diagnosed(situation, changes);
    expect(diagnosis).toMatchObject({ state, reason: expect.stringMatching(/\S/) });
    expect(diagnosis.action?.kind ?? null).toBe(action);
    if (on !== undefined) expect(diagnosis.action).toMatchObject({ node: { id: node(on).id } });
  });

  it('is starved while it is closed, so that the time until degrading runs', () => {
    const nodes = [seen(1, closed), seen(2, null), seen(3, null)];
    expect(isStarved({ ...shard, nodes }, { node: node(1), answer: closed })).toBe(true);
    const degraded = { ...shard, nodes, acknowledgements: 0, degrade: on };
    expect(isStarved(degraded, { node: node(1), answer: closed })).toBe(false);
  });

  it('asks for a rebuild while it starts another replica, which may never succeed', () => {
    const diagnosis = diagnosed({ source: closed, replicas: [stopped, errant] });
    expect(diagnosis).toMatchObject({
      action: { kind: 'start_replica', node: { id: node(2).id } },
      rebuild: { kind: 'rebuild', node: { id: node(3).id }, urgent: true },
    });
  });

  it('has all replicas rebuilt that need it, one when the other could not', () => {
    const { action } = diagnosed({ source: purging, replicas: [errant, behind] });
    expect(action).toMatchObject({
      kind: 'rebuild',
      node: { id: node(2).id },
      urgent: true,
      others: [{ node: { id: node(3).id } }],
    });
  });
});

describe('a degraded shard', () => {
  const source = { ...primary, acknowledgements: 0, acknowledgers: 0 };
  const degraded = { acknowledgements: 0, degrade: on };

  it('stays as it is without replicas, and says so', () => {
    expect(diagnosed({ source, replicas: [null, null] }, degraded)).toMatchObject({
      state: 'primary_degraded',
      action: null,
    });
  });

  it('waits for acknowledgements again as soon as replicas acknowledge', () => {
    const back = { ...source, acknowledgers: 1 };
    expect(diagnosed({ source: back, replicas: [replica, null] }, degraded)).toMatchObject({
      state: 'primary_degraded',
      action: { kind: 'set_acknowledgements', from: 0, to: 1 },
    });
  });

  it('waits for all acknowledgements at once when it may not degrade any more', () => {
    const off = { ...degraded, degrade: { ...on, enabled: false } };
    expect(diagnosed({ source, replicas: [null, null] }, off)).toMatchObject({
      state: 'primary_closed',
      action: { kind: 'open' },
    });
    const waiting = { ...source, acknowledgements: 1 };
    expect(diagnosed({ source: waiting, replicas: [null, null] }, off)).toMatchObject({
      state: 'primary_starved',
      action: null,
    });
    const restarted = { ...waiting, superReadOnly: true };
    expect(diagnosed({ source: restarted, replicas: [null, null] }, off)).toMatchObject({
      state: 'primary_held',
      action: null,
    });
    // What was committed without is certain only when a replica has it.
    expect(
      diagnosed({ source: { ...waiting, acknowledgers: 1 }, replicas: [replica, null] }, off),
    ).toMatchObject({
      action: { kind: 'set_acknowledgements', from: 0, to: 1 },
    });
  });

  it('finishes raising when a manager died between telling the primary and recording it', () => {
    expect(
      diagnosed({ source: { ...primary, acknowledgers: 2 }, replicas: [replica, replica] }, degraded),
    ).toMatchObject({ action: { kind: 'set_acknowledgements', from: 0, to: 1 } });
  });

  it('opens its primary after a restart with the acknowledgements that it had', () => {
    const restarted = { ...source, superReadOnly: true };
    expect(diagnosed({ source: restarted, replicas: [null, null] }, degraded)).toMatchObject({
      state: 'primary_closed',
      action: { kind: 'open' },
    });
  });

  it('does not fail over when commits waited for nobody: no set of replicas proves anything', () => {
    const cut = { ...replica, channel: replica.channel && { ...replica.channel, receiverRunning: false } };
    const lost = diagnosed({ source: null, replicas: [cut, cut] }, degraded);
    expect(lost).toMatchObject({ state: 'primary_unreachable', action: null });
    expect(lost.reason).toContain('degraded');
    // Nor with fewer replicas than what commits really waited for demands: 2 - 1 + 1 of 2, though fullsync_level is 2.
    const fewer = { fullsyncLevel: 2, acknowledgements: 1 };
    expect(diagnosed({ source: null, replicas: [cut, null] }, fewer).action).toBeNull();
    expect(diagnosed({ source: null, replicas: [cut, cut] }, fewer).action).toMatchObject({
      kind: 'fail_over',
      quorum: 2,
    });
  });
});

describe('set_noswitch', () => {
  it('keeps a lost primary from being replaced, and says until when', () => {
    const cut = { ...replica, channel: replica.channel && { ...replica.channel, receiverRunning: false } };
    const situation: Situation = { source: null, replicas: [cut, cut] };
    expect(diagnosed(situation).action).toMatchObject({ kind: 'fail_over' });
    const held = diagnosed(situation, { noSwitchUntil: new Date('2030-01-02T03:04:05Z') });
    expect(held).toMatchObject({ state: 'primary_unreachable', action: null });
    expect(held.reason).toContain('2030-01-02T03:04:05');
  });
});
