import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { Diagnosis } from '../../../src/ha/diagnosis.ts';
import { isStarved } from '../../../src/ha/degrade.ts';
import type { NodeAnswer, ShardObservation } from '../../../src/ha/shard-observation.ts';
import { node, primary, replica, seen, shard } from '../../support/shard-observations.ts';

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
