import { describe, expect, it } from 'vitest';
import { clusterId, computeNodeId, instanceId, machineId } from '../../../src/core/ids.ts';
import type { ComputeNode, HostPort } from '../../../src/core/model.ts';
import { isSpoilt } from '../../../src/ha/diagnose-replica.ts';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { NodeAnswer } from '../../../src/ha/shard-observation.ts';
import { checkDiagnosis, type DiagnosisCase } from '../../support/diagnosis-cases.ts';
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

describe('no_rep', () => {
  it.for<DiagnosisCase>([
    ['one open node', [{ ...primary, acknowledgements: 0 }], 'healthy', null],
    ['the node is closed, as after a restart', [plain], 'primary_closed', 'open', 1],
    ['the node is silent', [null], 'primary_unreachable', null],
  ])('%s', (row) => checkDiagnosis('no_rep', 0, row));
});

describe('rbr', () => {
  it.for<DiagnosisCase>([
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
  ])('%s', (row) => checkDiagnosis('rbr', 1, row));

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
