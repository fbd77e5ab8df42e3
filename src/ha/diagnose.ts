import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import {
  sameAddress,
  type NodeAnswer,
  type NodeObservation,
  type ShardObservation,
} from './shard-observation.ts';

interface Answered {
  readonly node: StorageNode;
  readonly answer: NodeAnswer;
}

const healthy: Diagnosis = { state: 'healthy', reason: 'every node does its part', action: null };

function answered(nodes: readonly NodeObservation[]): readonly Answered[] {
  return nodes.flatMap(({ node, answer }) => (answer === null ? [] : [{ node, answer }]));
}

function addresses(nodes: readonly { readonly node: StorageNode }[]): string {
  return nodes.map(({ node }) => colonAddress(node)).join(', ');
}

/** Pure: the same observation always gives the same diagnosis. */
export function diagnose(shard: ShardObservation): Diagnosis {
  return shard.haMode === 'mgr' ? diagnoseGroup(shard) : diagnoseSource(shard);
}

/** no_rep and rbr: the catalog says who the primary is. */
function diagnoseSource(shard: ShardObservation): Diagnosis {
  const primary = shard.nodes.find(({ node }) => node.memberState === 'source');
  if (primary === undefined) {
    return {
      state: 'primary_unreachable',
      reason: `${shard.name} has no recorded primary`,
      action: null,
    };
  }
  return (
    secondWriter(shard, primary.node) ??
    primaryFault(shard, primary) ??
    staleRoute(shard, primary.node) ??
    replicaFault(shard, primary) ??
    unreachableNode(shard) ??
    healthy
  );
}

function secondWriter(shard: ShardObservation, primary: StorageNode): Diagnosis | null {
  const writer = answered(shard.nodes).find(
    ({ node, answer }) => node.id !== primary.id && !answer.superReadOnly,
  );
  if (writer === undefined) return null;
  return {
    state: 'second_writer',
    reason: `${colonAddress(writer.node)} accepts writes, but the primary is ${colonAddress(primary)}: closing it`,
    action: { kind: 'close', node: writer.node },
  };
}

function primaryFault(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  const { fullsyncLevel } = shard;
  const at = colonAddress(primary.node);
  if (primary.answer === null) return silentPrimary(shard, primary);
  const { superReadOnly, acknowledgements } = primary.answer;
  if (superReadOnly) {
    return {
      state: 'primary_closed',
      reason: `the primary ${at} is read-only, as after a restart: opening it`,
      action: { kind: 'open', node: primary.node },
    };
  }
  if (acknowledgements < fullsyncLevel) {
    return {
      state: 'primary_closed',
      reason: `commits on ${at} wait for ${String(acknowledgements)} acknowledgements instead of ${String(fullsyncLevel)}: setting it`,
      action: { kind: 'open', node: primary.node },
    };
  }
  return null;
}

/** Long enough for the agent to have started a server again that merely ended. */
const failOverAfterMs = 8000;

function silentPrimary(shard: ShardObservation, primary: NodeObservation): Diagnosis {
  const at = colonAddress(primary.node);
  const silence = `the primary ${at} does not answer (${primary.failure ?? 'no reason known'})`;
  const wait = (why: string): Diagnosis => ({
    state: 'primary_unreachable',
    reason: `${silence}; ${why}`,
    action: null,
  });
  if (shard.haMode === 'no_rep') return wait('its agent restarts it');
  if (shard.primarySilentMs < failOverAfterMs) return wait('waiting for its agent to restart it');
  const replicas = shard.nodes.filter(({ node }) => node.id !== primary.node.id);
  const present = answered(replicas);
  // Of n replicas any n-k+1 include one that acknowledged a given commit, when a commit needs k acknowledgements.
  const quorum = replicas.length - shard.fullsyncLevel + 1;
  if (present.length < quorum) {
    return wait(
      `${String(present.length)} of ${String(replicas.length)} replicas answer, ` +
        `${String(quorum)} are needed to prove that a successor has every acknowledged transaction`,
    );
  }
  const receiving = present.filter(({ answer }) => answer.channel?.receiverRunning === true);
  if (receiving.length > 0) return wait(`but ${addresses(receiving)} still receives from it`);
  return {
    state: 'primary_lost',
    reason: `${silence} and no replica receives from it: promoting one of ${addresses(present)}`,
    action: { kind: 'fail_over', node: primary.node, replicas: present.map(({ node }) => node), quorum },
  };
}

function replicaFault(shard: ShardObservation, primary: NodeObservation): Diagnosis | null {
  for (const { node, answer } of answered(shard.nodes)) {
    if (node.id === primary.node.id || primary.answer === null) continue;
    const fault = channelFault({ node, answer }, { node: primary.node, answer: primary.answer });
    if (fault !== null) return fault;
  }
  return null;
}

function channelFault({ node, answer }: Answered, primary: Answered): Diagnosis | null {
  const at = colonAddress(node);
  const { channel } = answer;
  if (channel === null || !sameAddress(channel.source, primary.node))
    return astray({ node, answer }, primary);
  if (channel.receiverRunning && channel.applierRunning) return null;
  if (channel.error !== null && !channel.applierRunning) {
    return {
      state: 'replica_broken',
      reason: `replication on ${at} stopped: ${channel.error}`,
      action: null,
    };
  }
  return {
    state: 'replica_stopped',
    reason: `replication on ${at} does not run, as after a restart: starting it`,
    action: { kind: 'start_replica', node },
  };
}

/**
 * A node that follows somebody else, or nobody: the former primary, or a replica that missed a failover. An old primary
 * commits at its restart what no replica had acknowledged (MySQL bug 99370), so it is compared before it may follow.
 */
function astray(replica: Answered, primary: Answered): Diagnosis {
  const at = colonAddress(replica.node);
  const errant = GtidSet.parse(replica.answer.gtids).subtract(GtidSet.parse(primary.answer.gtids));
  if (!errant.isEmpty) {
    return {
      state: 'replica_errant',
      reason: `${at} has ${String(errant.size)} transactions that the primary ${colonAddress(primary.node)} lacks: ${errant.toString()}`,
      action: null,
    };
  }
  const { channel } = replica.answer;
  const source = channel === null ? 'nobody' : colonAddress(channel.source);
  return {
    state: 'replica_astray',
    reason: `${at} follows ${source} and has nothing that ${colonAddress(primary.node)} lacks: making it follow that`,
    action: { kind: 'follow', node: replica.node, primary: primary.node },
  };
}

function staleRoute(shard: ShardObservation, primary: StorageNode): Diagnosis | null {
  const stale = shard.routes.find(({ route }) => route === null || !sameAddress(route, primary));
  if (stale === undefined) return null;
  const route = stale.route === null ? 'nowhere' : `to ${colonAddress(stale.route)}`;
  return {
    state: 'route_stale',
    reason: `${stale.comp.name} at ${colonAddress(stale.comp)} sends sessions ${route} instead of ${colonAddress(primary)}: re-routing it`,
    action: { kind: 'reroute', comp: stale.comp, primary },
  };
}

function unreachableNode(shard: ShardObservation): Diagnosis | null {
  const silent = shard.nodes.filter(({ answer }) => answer === null);
  if (silent.length === 0) return null;
  return {
    state: 'node_unreachable',
    reason: `no answer from ${addresses(silent)}; their agents restart them`,
    action: null,
  };
}

/** mgr: the group itself elects its primary; the manager follows it and brings members back. */
function diagnoseGroup(shard: ShardObservation): Diagnosis {
  const present = answered(shard.nodes);
  const online = present.filter(({ answer }) => answer.groupState === 'ONLINE');
  if (online.length === 0) return groupWithoutMembers(shard, present);
  const recorded = online.find(({ node }) => node.memberState === 'source');
  return (
    movedPrimary(online) ??
    (recorded === undefined ? null : staleRoute(shard, recorded.node)) ??
    memberDown(present, online) ??
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

function movedPrimary(online: readonly Answered[]): Diagnosis | null {
  const primary = online.find(
    ({ node, answer }) =>
      seesMajority(answer) && answer.group.some((member) => member.primary && sameAddress(member, node)),
  );
  if (primary === undefined || primary.node.memberState === 'source') return null;
  return {
    state: 'primary_moved',
    reason: `the group has made ${colonAddress(primary.node)} its primary: recording it`,
    action: { kind: 'record_primary', node: primary.node },
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
