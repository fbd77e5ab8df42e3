import { describe, expect, it } from 'vitest';
import type { InstanceView } from '../../../src/core/agent-protocol.ts';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { ShardState } from '../../../src/ha/diagnosis.ts';
import type {
  AgentReport,
  NodeAnswer,
  NodeObservation,
  ShardObservation,
} from '../../../src/ha/shard-observation.ts';
import { at, following, instanceView, node, replica, seen, shard } from '../../support/shard-observations.ts';

describe('a primary that does not answer', () => {
  const deaf = { ...replica, channel: { ...following, heardMs: 1700 } };
  const cut = { ...replica, channel: { ...following, receiverRunning: false } };
  const view = instanceView(1);
  const heard = (instance: InstanceView): AgentReport => ({ silentMs: 300, instance });
  const ended = heard({ ...view, pid: null, state: 'failed' });
  const starting = heard({ ...view, pid: 4712, state: 'starting' });
  const hangs = heard({
    ...view,
    health: { answers: false, reason: 'not done within 400 ms', hearsSource: null },
  });
  const serves = heard(view);
  const unheard: AgentReport = { silentMs: 1700, instance: view };

  /** For so many looks and milliseconds, and this is what the agent of its machine says. */
  const silent = (misses: number, silentMs: number, agent: AgentReport | null): NodeObservation => ({
    ...seen(1, null),
    misses,
    silentMs,
    agent,
  });
  const both = [seen(2, deaf), seen(3, cut)];
  const diagnosed = (nodes: readonly NodeObservation[], changes: Partial<ShardObservation> = {}) =>
    diagnose({ ...shard, nodes, ...changes });

  it.for<readonly [string, NodeObservation, ShardState]>([
    ['its process has ended', silent(1, 5, ended), 'primary_lost'],
    ['a new process is starting', silent(1, 5, starting), 'primary_lost'],
    ['its agent gets no answer either', silent(1, 700, hangs), 'primary_lost'],
    ['its agent is silent: one miss may be chance', silent(1, 1500, unheard), 'primary_unreachable'],
    ['its agent is silent: two looks in a row', silent(2, 1500, unheard), 'primary_lost'],
    ['two looks within a moment', silent(2, 300, unheard), 'primary_unreachable'],
    ['no agent was ever heard', silent(2, 1500, null), 'primary_lost'],
    [
      'its agent has lost the instance',
      silent(1, 1500, { silentMs: 0, instance: null }),
      'primary_unreachable',
    ],
    ['its agent says that it serves', silent(5, 3000, serves), 'primary_unreachable'],
    ['nobody but its agent has reached it for long', silent(20, 9000, serves), 'primary_lost'],
  ])('and no replica hears from it: %s', ([, primary, state]) => {
    const diagnosis = diagnosed([primary, ...both]);
    expect(diagnosis.state).toBe(state);
    expect(diagnosis.action?.kind ?? null).toBe(state === 'primary_lost' ? 'fail_over' : null);
  });

  it.for<readonly [string, readonly (NodeAnswer | null)[], number]>([
    ['a replica hears from it: only the manager is cut off', [replica, cut], 1],
    ['a replica has connected just now', [cut, { ...replica, channel: { ...following, heardMs: null } }], 1],
    ['one of two replicas answers, and any one may have the acknowledged write', [cut, null], 1],
    ['no replica answers', [null, null], 1],
    ['commits need no acknowledgement, so that none can be proved', [cut, cut], 0],
  ])('is waited for when %s', ([, answers, level]) => {
    const replicas = answers.map((answer, index) => seen(index + 2, answer));
    expect(
      diagnosed([silent(99, 60_000, ended), ...replicas], { fullsyncLevel: level, acknowledgements: level }),
    ).toMatchObject({
      state: 'primary_unreachable',
      action: null,
    });
  });

  it('a replica that was made to follow a successor already does not hear from it', () => {
    const moved = { ...replica, channel: { ...following, source: at(2) } };
    expect(diagnosed([silent(1, 5, ended), seen(2, cut), seen(3, moved)])).toMatchObject({
      state: 'primary_lost',
      action: { kind: 'fail_over', quorum: 2 },
    });
  });

  it('needs fewer replicas the more of them acknowledge each commit', () => {
    const nodes = [silent(1, 5, ended), seen(2, cut), seen(3, null)];
    expect(diagnosed(nodes, { fullsyncLevel: 2, acknowledgements: 2 })).toMatchObject({
      state: 'primary_lost',
      action: { quorum: 1 },
    });
  });

  it('needs more of those that answer when an operator has stopped one: it may have the acknowledged write', () => {
    const nodes = [silent(99, 60_000, ended), seen(2, cut)];
    expect(diagnosed(nodes).state).toBe('primary_lost');
    const stopped = [{ ...node(3), status: 'manual_stop' as const }];
    expect(diagnosed(nodes, { stopped })).toMatchObject({ state: 'primary_unreachable', action: null });
    expect(diagnosed(nodes, { stopped }).reason).toContain('1 of 2 replicas answer, 2 are needed');
  });

  it('that an operator has stopped is not replaced', () => {
    const stopped = [{ ...node(1), status: 'manual_stop' as const }];
    expect(diagnosed([...both], { stopped })).toMatchObject({ state: 'primary_stopped', action: null });
  });

  it('is alive when it merely takes no more connections', () => {
    const busy = { ...silent(9, 60_000, hangs), busy: true, failure: 'Too many connections' };
    expect(diagnosed([busy, ...both])).toMatchObject({ state: 'primary_busy', action: null });
  });

  it('is given more time when the shard fails over again and again, and the reason says so', () => {
    const policy = { fastPerHour: 3, cautiousMs: 15_000 };
    const again = (silentMs: number, recentFailovers: number) =>
      diagnosed([silent(9, silentMs, ended), ...both], { recentFailovers, failoverPolicy: policy });
    expect(again(100, 2).state).toBe('primary_lost');
    expect(again(100, 3)).toMatchObject({ state: 'primary_unreachable', action: null });
    expect(again(100, 3).reason).toContain('3 times within an hour');
    expect(again(16_000, 3).state).toBe('primary_lost');
  });
});
