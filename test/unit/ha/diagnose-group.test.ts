import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { NodeAnswer } from '../../../src/ha/shard-observation.ts';
import { checkDiagnosis, type DiagnosisCase } from '../../support/diagnosis-cases.ts';
import {
  groupMember as member,
  groupPrimary as leader,
  groupView as view,
  node,
  plain,
  seen,
  shard,
  uuid,
} from '../../support/shard-observations.ts';

const offline = plain;
const ahead: NodeAnswer = { ...offline, gtids: `${uuid}:1-12` };
const apart: NodeAnswer = { ...offline, gtids: `${uuid}:1-9:13` };

describe('mgr', () => {
  /** Leads only itself: the group that it knows is out of its reach. */
  const cutOff = (index: number): NodeAnswer => ({
    ...member(index, 3),
    group: view(index, 3, 4).map((other) => (other.primary ? other : { ...other, state: 'UNREACHABLE' })),
  });
  const recovering: NodeAnswer = { ...offline, groupState: 'RECOVERING' };

  it.for<DiagnosisCase>([
    [
      'all ONLINE under the recorded primary',
      [leader(1, 2, 3), member(1, 2, 3), member(1, 2, 3)],
      'healthy',
      null,
    ],
    [
      'the group elected another one',
      [null, leader(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'the election is recorded before the old primary joins again',
      [offline, leader(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'a former primary without majority still calls itself primary: the elected one counts',
      [cutOff(1), leader(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'a member that joined founded a group of its own, without what the last one of the former group has',
      [null, ahead, leader(3)],
      'group_forked',
      'leave_group',
      3,
    ],
    [
      'most nodes are a group again, and a node outside has what a fork has written',
      [ahead, leader(2, 3), member(2, 3)],
      'primary_moved',
      'record_primary',
      2,
    ],
    [
      'the recorded primary is alone, and a node outside has what a fork has written',
      [leader(1), ahead, null],
      'member_down',
      'join_group',
      2,
    ],
    [
      'what a node outside has written by itself is no reason to give the group up',
      [
        leader(1, 3),
        { ...offline, gtids: `${uuid}:1-10,00000000-0000-0000-0000-000000000002:1` },
        member(1, 3),
      ],
      'member_down',
      'join_group',
      2,
    ],
    [
      'a member that the group still lists may have been asked later',
      [leader(1, 2, 3), { ...ahead, groupState: 'ONLINE', group: view(1, 2, 3) }, member(1, 2, 3)],
      'healthy',
      null,
    ],
    [
      'somebody has closed the primary that the group does not open again',
      [member(1, 2, 3), member(1, 2, 3), member(1, 2, 3)],
      'primary_closed',
      'open',
      1,
    ],
    [
      'somebody has opened a member that is not the primary',
      [leader(1, 2, 3), leader(1, 2, 3), member(1, 2, 3)],
      'second_writer',
      'close',
      2,
    ],
    ['a primary without majority is not opened', [cutOff(1), null, null], 'node_unreachable', null],
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
    ['a member is out of the group', [leader(1, 3), offline, member(1, 3)], 'member_down', 'join_group', 2],
    [
      'a member is in error',
      [leader(1, 2), member(1, 2), { ...offline, groupState: 'ERROR' }],
      'member_down',
      'join_group',
      3,
    ],
    [
      'a killed member that the group still lists waits',
      [leader(1, 2, 3), offline, member(1, 2, 3)],
      'member_down',
      null,
    ],
    [
      'a member is catching up: nothing to do',
      [leader(1, 2, 3), recovering, member(1, 2, 3)],
      'healthy',
      null,
    ],
    ['a member is silent', [leader(1, 2), member(1, 2), null], 'node_unreachable', null],
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
  ])('%s', (row) => checkDiagnosis('mgr', 0, row));

  it('all down, one stopped by an operator: it may be ahead of all others', () => {
    const nodes = [seen(1, offline), seen(2, offline)];
    const stopped = [{ ...node(3), status: 'manual_stop' as const }];
    expect(diagnose({ ...shard, haMode: 'mgr', nodes, stopped })).toMatchObject({
      state: 'group_unknown',
      action: null,
    });
  });
});
