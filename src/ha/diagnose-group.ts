import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress, sameAddress, type StorageNode } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import { otherDisk } from './disk-faults.ts';
import { groupPrimaryDisk } from './group-disk.ts';
import {
  addresses,
  answered,
  busyPrimary,
  healthy,
  staleRoute,
  unreachableNode,
  type Answered,
} from './shared-diagnoses.ts';
import { type NodeAnswer, type ShardObservation } from './shard-observation.ts';

/** mgr: the group itself elects its primary; the manager follows it and brings members back. */
export function diagnoseGroup(shard: ShardObservation): Diagnosis {
  const present = answered(shard.nodes);
  const online = present.filter(({ answer }) => answer.groupState === 'ONLINE');
  if (online.length === 0) return groupWithoutMembers(shard, present);
  const recorded = online.find(({ node }) => node.memberState === 'source');
  const down = memberDown(present, online);
  return (
    forkedGroup(shard, present) ??
    movedPrimary(online) ??
    groupPrimaryDisk(shard) ??
    closedPrimary(online) ??
    secondWriter(online) ??
    (recorded === undefined ? null : staleRoute(shard, recorded.node)) ??
    (down !== null && down.action !== null ? down : null) ??
    lostPrimary(shard, online) ??
    down ??
    otherDisk(shard) ??
    unreachableNode(shard) ??
    healthy
  );
}

function groupWithoutMembers(shard: ShardObservation, present: readonly Answered[]): Diagnosis {
  const silent = shard.nodes.filter(({ answer }) => answer === null);
  if (silent.length > 0) {
    return {
      state: 'group_unknown',
      reason: `no member of the group is online, but ${addresses(silent)} did not answer and may run it`,
      action: null,
    };
  }
  if (shard.stopped.length > 0) {
    return {
      state: 'group_unknown',
      reason:
        `no member of the group is online, and ${addresses(shard.stopped.map((node) => ({ node })))}, which an ` +
        'operator has stopped, may have what the others lack: start it',
      action: null,
    };
  }
  const joining = present.filter(({ answer }) => answer.groupState === 'RECOVERING');
  if (joining.length > 0) {
    return { state: 'member_down', reason: `${addresses(joining)} is joining the group`, action: null };
  }
  const best = mostAdvanced(present);
  if (best === null) {
    return {
      state: 'group_unknown',
      reason: `no member has all transactions of the others (${addresses(present)}): an operator must choose`,
      action: null,
    };
  }
  return {
    state: 'group_down',
    reason: `no member of the group runs; ${colonAddress(best)} has every transaction: founding the group again there`,
    action: { kind: 'bootstrap_group', node: best },
  };
}

/** The node whose transactions include those of all others; the recorded primary when several do. */
function mostAdvanced(present: readonly Answered[]): StorageNode | null {
  const sets = present.map(({ node, answer }) => ({ node, gtids: GtidSet.parse(answer.gtids) }));
  const candidates = sets.filter(({ gtids }) => sets.every((other) => gtids.contains(other.gtids)));
  const recorded = candidates.find(({ node }) => node.memberState === 'source');
  return (recorded ?? candidates[0])?.node ?? null;
}

/** A member cut off from the majority goes on calling itself primary for some seconds. */
function seesMajority({ group }: NodeAnswer): boolean {
  return group.filter((member) => member.state === 'ONLINE').length * 2 > group.length;
}

function leads({ node, answer }: Answered): boolean {
  return seesMajority(answer) && answer.group.some((member) => member.primary && sameAddress(member, node));
}

/**
 * A member that joins while its group loses the majority can end up alone in a group of its own (seen with 9.7, when the last
 * member that was left gave up): it accepts writes, and lacks what the former group has acknowledged. What was not written by
 * the group does not count. A group of most nodes is the shard's, and so is that of the recorded primary, which joins only
 * after its successor was recorded: a node outside may have what such a fork has written.
 */
function forkedGroup({ nodes, stopped }: ShardObservation, present: readonly Answered[]): Diagnosis | null {
  const isSmall = ({ answer }: Answered): boolean => answer.group.length * 2 <= nodes.length + stopped.length;
  const leaders = present.filter((one) => one.answer.groupState === 'ONLINE' && leads(one));
  for (const primary of leaders.filter((one) => one.node.memberState !== 'source' && isSmall(one))) {
    const has = GtidSet.parse(primary.answer.gtids);
    const ahead = present.filter(
      ({ node, answer }) =>
        !primary.answer.group.some((member) => sameAddress(member, node)) &&
        !GtidSet.parse(answer.gtids).ofSourcesIn(has).subtract(has).isEmpty,
    );
    if (ahead.length === 0) continue;
    return {
      state: 'group_forked',
      reason:
        `${colonAddress(primary.node)} leads a group without ${addresses(ahead)}, which have transactions that it lacks: ` +
        'it leaves that group',
      action: { kind: 'leave_group', node: primary.node },
    };
  }
  return null;
}

function movedPrimary(online: readonly Answered[]): Diagnosis | null {
  const primary = online.find(leads);
  if (primary === undefined || primary.node.memberState === 'source') return null;
  return {
    state: 'primary_moved',
    reason: `the group has made ${colonAddress(primary.node)} its primary: recording it`,
    action: { kind: 'record_primary', node: primary.node },
  };
}

/** A group opens its primary when it elects it, and never again: whoever has closed it since does not come back for it. */
function closedPrimary(online: readonly Answered[]): Diagnosis | null {
  const primary = online.find((one) => one.node.memberState === 'source' && leads(one));
  if (primary?.answer.superReadOnly !== true) return null;
  return {
    state: 'primary_closed',
    reason: `the primary ${colonAddress(primary.node)} leads its group and is read-only: opening it`,
    action: { kind: 'open', node: primary.node },
  };
}

/** A group closes its other members when they join, and does not look at them again. */
function secondWriter(online: readonly Answered[]): Diagnosis | null {
  const writer = online.find(
    (one) => !one.answer.superReadOnly && seesMajority(one.answer) && isLedByAnother(one),
  );
  if (writer === undefined) return null;
  return {
    state: 'second_writer',
    reason: `${colonAddress(writer.node)} accepts writes, but is not the primary of its group: closing it`,
    action: { kind: 'close', node: writer.node },
  };
}

const isLedByAnother = ({ node, answer }: Answered): boolean =>
  answer.group.some((member) => member.primary && !sameAddress(member, node));

/** The group is about to elect another primary, which is to be known at once. */
function lostPrimary({ nodes }: ShardObservation, online: readonly Answered[]): Diagnosis | null {
  const recorded = nodes.find(({ node }) => node.memberState === 'source');
  if (recorded === undefined || recorded.answer?.groupState === 'ONLINE') return null;
  if (recorded.busy) return busyPrimary(recorded);
  const { node, answer, failure } = recorded;
  const what =
    answer === null ? `does not answer (${failure ?? 'no reason known'})` : `is ${answer.groupState}`;
  return {
    state: 'primary_unreachable',
    reason: `the primary ${colonAddress(node)} ${what}, and ${addresses(online)} have no other yet`,
    action: null,
  };
}

/**
 * A member that was killed is back before the group has expelled its former self (5 s); joining then would hang until
 * that, and hold up the recording of the new primary.
 */
function memberDown(present: readonly Answered[], online: readonly Answered[]): Diagnosis | null {
  const down = present.find(({ answer }) => answer.groupState === 'OFFLINE' || answer.groupState === 'ERROR');
  if (down === undefined) return null;
  if (online.some(({ answer }) => answer.group.some((member) => sameAddress(member, down.node)))) {
    return {
      state: 'member_down',
      reason: `${colonAddress(down.node)} is ${down.answer.groupState}, but its group has not expelled it yet`,
      action: null,
    };
  }
  return {
    state: 'member_down',
    reason: `${colonAddress(down.node)} is ${down.answer.groupState} in its group: joining it again`,
    action: { kind: 'join_group', node: down.node },
  };
}
