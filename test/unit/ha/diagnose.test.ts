import { describe, expect, it } from 'vitest';
import { clusterId, computeNodeId, instanceId, machineId, storageNodeId } from '../../../src/core/ids.ts';
import type { ComputeNode, HaMode, HostPort } from '../../../src/core/model.ts';
import { isSpoilt } from '../../../src/ha/diagnose-replica.ts';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { ShardAction, ShardState } from '../../../src/ha/diagnosis.ts';
import { defaultFailoverPolicy, type NodeAnswer } from '../../../src/ha/shard-observation.ts';
import {
  at,
  following,
  node,
  plain,
  primary,
  replica,
  seen,
  shard,
  uuid,
} from '../../support/shard-observations.ts';

/** The group as a member sees it: who leads, and who else is listed. */
const view = (leader: number, ...others: readonly number[]): NodeAnswer['group'] =>
  [leader, ...others].map((index) => ({
    ...at(index),
    serverUuid: String(index),
    state: 'ONLINE',
    primary: index === leader,
  }));
const member = (leader: number, ...others: readonly number[]): NodeAnswer => ({
  ...plain,
  groupState: 'ONLINE',
  group: view(leader, ...others),
});
const offline = plain;
const ahead: NodeAnswer = { ...offline, gtids: `${uuid}:1-12` };
const apart: NodeAnswer = { ...offline, gtids: `${uuid}:1-9:13` };

type Case = readonly [
  situation: string,
  answers: readonly (NodeAnswer | null)[],
  state: ShardState,
  action: ShardAction['kind'] | null,
  on?: number,
];

function actedOn(action: ShardAction | null): number | null {
  if (action === null) return null;
  return action.kind === 'reroute' ? action.comp.id : action.node.id;
}

function check(haMode: HaMode, fullsyncLevel: number, [, answers, state, action, on]: Case): void {
  const nodes = answers.map((answer, index) => seen(index + 1, answer));
  const diagnosis = diagnose({
    ...shard,
    haMode,
    fullsyncLevel,
    acknowledgements: fullsyncLevel,
    nodes,
    recentFailovers: 0,
    stopped: [],
    failoverPolicy: defaultFailoverPolicy,
    routes: [],
  });
  expect(diagnosis).toMatchObject({ state, reason: expect.stringMatching(/\S/) });
  expect(diagnosis.action?.kind ?? null).toBe(action);
  expect(actedOn(diagnosis.action)).toBe(on === undefined ? null : storageNodeId(on));
}

describe('no_rep', () => {
  it.for<Case>([
    ['one open node', [{ ...primary, acknowledgements: 0 }], 'healthy', null],
    ['the node is closed, as after a restart', [plain], 'primary_closed', 'open', 1],
    ['the node is silent', [null], 'primary_unreachable', null],
  ])('%s', (row) => check('no_rep', 0, row));
});

describe('rbr', () => {
  it.for<Case>([
    ['all as it should be', [primary, replica, replica], 'healthy', null],
    [
      'a replica takes writes',
      [primary, { ...replica, superReadOnly: false }, replica],
      'second_writer',
      'close',
      2,
    ],
    [
      'a replica takes writes while the primary is silent: closing comes first',
      [null, { ...replica, superReadOnly: false }, replica],
      'second_writer',
      'close',
      2,
    ],
    [
      'the primary is silent for a moment: its agent may restart it',
      [null, replica, replica],
      'primary_unreachable',
      null,
    ],
    [
      'the primary is open and has kept the channel of its time as a replica',
      [
        { ...primary, channel: { ...following, receiverRunning: false, applierRunning: false } },
        replica,
        replica,
      ],
      'primary_closed',
      'open',
      1,
    ],
    [
      'a replica lacks what the primary has in no log any more',
      [{ ...primary, purged: `${uuid}:1-10` }, { ...replica, channel: null, gtids: `${uuid}:1-9` }, replica],
      'replica_behind',
      'rebuild',
      2,
    ],
    [
      'a replica that receives gets what it lacks',
      [{ ...primary, purged: `${uuid}:1-10` }, { ...replica, gtids: `${uuid}:1-9` }, replica],
      'healthy',
      null,
    ],
    [
      'the primary is read-only',
      [{ ...primary, superReadOnly: true }, replica, replica],
      'primary_closed',
      'open',
      1,
    ],
    [
      'semi-sync is off',
      [{ ...primary, acknowledgements: 0 }, replica, replica],
      'primary_closed',
      'open',
      1,
    ],
    [
      'more acknowledgements than asked for',
      [{ ...primary, acknowledgements: 2 }, replica, replica],
      'healthy',
      null,
    ],
    ['a replica without channel', [primary, replica, plain], 'replica_astray', 'follow', 3],
    [
      'a replica of another server',
      [primary, { ...replica, channel: { ...following, source: at(3) } }, replica],
      'replica_astray',
      'follow',
      2,
    ],
    [
      'replication stopped, as after a restart',
      [
        primary,
        replica,
        { ...replica, channel: { ...following, receiverRunning: false, applierRunning: false } },
      ],
      'replica_stopped',
      'start_replica',
      3,
    ],
    [
      'only the receiver stopped',
      [primary, { ...replica, channel: { ...following, receiverRunning: false, error: 'lost' } }, replica],
      'replica_stopped',
      'start_replica',
      2,
    ],
    [
      'both stopped, and the receiver had failed to connect once: starting it is all it needs',
      [
        primary,
        {
          ...replica,
          channel: { ...following, receiverRunning: false, applierRunning: false, error: 'refused' },
        },
        replica,
      ],
      'replica_stopped',
      'start_replica',
      2,
    ],
    [
      'the applier stopped with an error: starting it again would hide it',
      [
        primary,
        { ...replica, channel: { ...following, applierRunning: false, applierError: 'Duplicate entry' } },
        replica,
      ],
      'replica_broken',
      null,
    ],
    ['a replica is silent', [primary, replica, null], 'node_unreachable', null],
    [
      'a silent replica does not keep the other one from being started',
      [primary, null, { ...replica, channel: { ...following, receiverRunning: false } }],
      'replica_stopped',
      'start_replica',
      3,
    ],
  ])('%s', (row) => check('rbr', 1, row));

  it('without a recorded primary nothing is done', () => {
    const nodes = [2, 3].map((index) => seen(index, replica));
    const diagnosis = diagnose({ ...shard, nodes });
    expect(diagnosis).toMatchObject({ state: 'primary_unreachable', action: null });
  });

  it('a former primary with transactions of its own does not follow: it is rebuilt', () => {
    const errant = { ...plain, gtids: `${uuid}:1-11` };
    const diagnosis = diagnose({ ...shard, nodes: [seen(1, primary), seen(2, errant), seen(3, replica)] });
    expect(diagnosis).toMatchObject({ state: 'replica_errant', action: { kind: 'rebuild', node: node(2) } });
    expect(diagnosis.reason).toContain(`${uuid}:11`);
  });

  it('a replica that follows and keeps a transaction of its own is rebuilt', () => {
    const wrote = { ...replica, gtids: `${replica.gtids},${replica.serverUuid}:1` };
    const after = (brokenMs: number) =>
      diagnose({ ...shard, nodes: [seen(1, primary), seen(2, replica), { ...seen(3, wrote), brokenMs }] });
    expect(after(0)).toMatchObject({ state: 'replica_errant', action: null });
    expect(after(0).reason).toContain(`${replica.serverUuid}:1`);
    expect(after(61_000)).toMatchObject({
      state: 'replica_errant',
      action: { kind: 'rebuild', node: node(3) },
    });
  });

  it('how long a replica has been so counts from when it stopped with an error or was written to', () => {
    const source = { node: node(1), answer: primary };
    const counts = (answer: NodeAnswer | null) => isSpoilt({ node: node(2), answer }, source);
    expect(counts(null)).toBe(false);
    expect(counts(replica)).toBe(false);
    expect(counts({ ...replica, gtids: `${replica.serverUuid}:1` })).toBe(true);
    // It is compared as soon as it follows nobody.
    expect(counts({ ...plain, gtids: `${replica.serverUuid}:1` })).toBe(false);
    const stopped = { ...following, applierRunning: false, applierError: 'Duplicate entry' };
    expect(counts({ ...replica, channel: stopped })).toBe(true);
    expect(isSpoilt(source, source)).toBe(false);
  });

  it('a replica that was asked after the primary has more of what began there', () => {
    const later = { ...replica, gtids: `${uuid}:1-12` };
    expect(diagnose({ ...shard, nodes: [seen(1, primary), seen(2, later)] }).state).toBe('healthy');
  });

  it('a node whose job has failed is rebuilt', () => {
    const nodes = [seen(1, primary), seen(2, replica)];
    const diagnosis = diagnose({ ...shard, nodes, unfinished: [node(3)] });
    expect(diagnosis).toMatchObject({
      state: 'replica_unfinished',
      action: { kind: 'rebuild', node: node(3), urgent: false },
    });
  });

  it('a replica that stays broken is rebuilt, after what can be mended at once', () => {
    const broken = {
      ...replica,
      channel: { ...following, applierRunning: false, applierError: 'Duplicate entry' },
    };
    const forAMinute = { ...seen(2, broken), brokenMs: 61_000 };
    const whole = diagnose({ ...shard, nodes: [seen(1, primary), forAMinute, seen(3, replica)] });
    expect(whole).toMatchObject({ state: 'replica_broken', action: { kind: 'rebuild', node: node(2) } });
    const stopped = { ...replica, channel: { ...following, receiverRunning: false } };
    const both = diagnose({ ...shard, nodes: [seen(1, primary), forAMinute, seen(3, stopped)] });
    expect(both).toMatchObject({
      state: 'replica_stopped',
      action: { kind: 'start_replica', node: node(3) },
    });
  });

  it('a compute node that goes elsewhere is re-routed', () => {
    const comp: ComputeNode = {
      id: computeNodeId(7),
      clusterId: clusterId(1),
      machineId: machineId(1),
      instanceId: instanceId('cluster1-comp1'),
      name: 'comp7',
      hostaddr: '10.0.0.9',
      port: 47_001,
      status: 'active',
    };
    const nodes = [seen(1, primary), seen(2, replica), seen(3, replica)];
    const routed = (route: HostPort | null) => diagnose({ ...shard, nodes, routes: [{ comp, route }] });
    expect(routed(at(1)).state).toBe('healthy');
    expect(routed(at(2))).toMatchObject({ state: 'route_stale', action: { kind: 'reroute' } });
    expect(routed(null)).toMatchObject({ state: 'route_stale', action: { kind: 'reroute' } });
  });
});

describe('mgr', () => {
  /** Leads only itself: the group that it knows is out of its reach. */
  const cutOff = (index: number): NodeAnswer => ({
    ...member(index, 3),
    group: view(index, 3, 4).map((other) => (other.primary ? other : { ...other, state: 'UNREACHABLE' })),
  });
  const recovering: NodeAnswer = { ...offline, groupState: 'RECOVERING' };

  it.for<Case>([
    [
      'all ONLINE under the recorded primary',
      [member(1, 2, 3), member(1, 2, 3), member(1, 2, 3)],
      'healthy',
      null,
    ],
    [
      'the group elected another one',
      [null, member(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'the election is recorded before the old primary joins again',
      [offline, member(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'a former primary without majority still calls itself primary: the elected one counts',
      [cutOff(1), member(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'a member that joined founded a group of its own, without what the last one of the former group has',
      [null, ahead, member(3)],
      'group_forked',
      'leave_group',
      3,
    ],
    [
      'most nodes are a group again, and a node outside has what a fork has written',
      [ahead, member(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'the recorded primary is alone, and a node outside has what a fork has written',
      [member(1), ahead, null],
      'member_down',
      'join_group',
      2,
    ],
    [
      'what a node outside has written by itself is no reason to give the group up',
      [
        member(1, 3),
        { ...offline, gtids: `${uuid}:1-10,00000000-0000-0000-0000-000000000002:1` },
        member(1, 3),
      ],
      'member_down',
      'join_group',
      2,
    ],
    [
      'a member that the group still lists may have been asked later',
      [member(1, 2, 3), { ...ahead, groupState: 'ONLINE', group: view(1, 2, 3) }, member(1, 2, 3)],
      'healthy',
      null,
    ],
    ['a primary without majority was not elected', [null, cutOff(2), null], 'primary_unreachable', null],
    [
      'the primary is out of the group, which has no other yet',
      [offline, member(1, 2, 3), member(1, 2, 3)],
      'primary_unreachable',
      null,
    ],
    [
      'the primary is silent, and the group has no other yet',
      [null, member(1, 2, 3), member(1, 2, 3)],
      'primary_unreachable',
      null,
    ],
    ['a member is out of the group', [member(1, 3), offline, member(1, 3)], 'member_down', 'join_group', 2],
    [
      'a member is in error',
      [member(1, 2), member(1, 2), { ...offline, groupState: 'ERROR' }],
      'member_down',
      'join_group',
      3,
    ],
    [
      'a killed member that the group still lists waits',
      [member(1, 2, 3), offline, member(1, 2, 3)],
      'member_down',
      null,
    ],
    [
      'a member is catching up: nothing to do',
      [member(1, 2, 3), recovering, member(1, 2, 3)],
      'healthy',
      null,
    ],
    ['a member is silent', [member(1, 2), member(1, 2), null], 'node_unreachable', null],
    ['nobody is online, one is silent and may lead', [offline, offline, null], 'group_unknown', null],
    ['nobody is online, one joins', [offline, recovering, offline], 'member_down', null],
    [
      'all down, all equal: the recorded primary founds',
      [offline, offline, offline],
      'group_down',
      'bootstrap_group',
      1,
    ],
    ['all down, one is ahead: it founds', [offline, offline, ahead], 'group_down', 'bootstrap_group', 3],
    [
      'all down, none has everything: an operator must choose',
      [ahead, apart, offline],
      'group_unknown',
      null,
    ],
  ])('%s', (row) => check('mgr', 0, row));

  it('all down, one stopped by an operator: it may be ahead of all others', () => {
    const nodes = [seen(1, offline), seen(2, offline)];
    const stopped = [{ ...node(3), status: 'manual_stop' as const }];
    expect(diagnose({ ...shard, haMode: 'mgr', nodes, stopped })).toMatchObject({
      state: 'group_unknown',
      action: null,
    });
  });
});
