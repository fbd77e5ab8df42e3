import { GtidSet } from '../../core/gtid-set.ts';
import { colonAddress, sameAddress } from '../../core/model.ts';
import { type NodeAnswer } from '../../ha/shard-observation.ts';
import { compareStatus } from './compare-status.ts';
import type { NodeSeen, ShardFacts } from './facts.ts';
import { finding, type Finding } from './findings.ts';

interface Answered extends NodeSeen {
  readonly answer: NodeAnswer;
}

const shardName = ({ cluster, shard }: ShardFacts): string => `cluster ${String(cluster.id)} ${shard.name}`;

function rows(shard: ShardFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const where = shardName(shard);
  const sources = shard.nodes.filter(({ node }) => node.memberState === 'source');
  if (sources.length !== 1) {
    const named = sources.map(({ node }) => colonAddress(node)).join(', ') || 'no node';
    findings.push(finding('roles', where, `the catalog names ${named} as its primary`));
  }
  if (shard.recordedNodes !== shard.nodes.length) {
    const why = `num_nodes is ${String(shard.recordedNodes)}, it has ${String(shard.nodes.length)} nodes`;
    findings.push(finding('node_count', where, why));
  }
  return findings;
}

function nodeFindings(shard: ShardFacts, { node, answer, failure }: NodeSeen): readonly Finding[] {
  const where = `${shardName(shard)} node ${colonAddress(node)}`;
  const byStatus = compareStatus(where, { status: node.status, answers: answer !== null, failure });
  if (byStatus !== null || answer === null) return byStatus ?? [];
  const missing = shard.details.get(colonAddress(node))?.missingAccounts ?? [];
  return missing.map((account) =>
    finding('account_missing', where, `the server lacks the account ${account}`),
  );
}

function answered(nodes: readonly NodeSeen[]): readonly Answered[] {
  return nodes.flatMap(({ node, answer, failure }) =>
    answer === null || node.status !== 'active' ? [] : [{ node, answer, failure }],
  );
}

/** Exactly the recorded primary accepts writes. */
function writable(shard: ShardFacts, nodes: readonly Answered[]): readonly Finding[] {
  return nodes.flatMap(({ node, answer }) => {
    const where = `${shardName(shard)} node ${colonAddress(node)}`;
    if (node.memberState === 'source' && answer.superReadOnly) {
      return [finding('primary_closed', where, 'it is the recorded primary and accepts no writes')];
    }
    if (node.memberState === 'replica' && !answer.superReadOnly) {
      return [finding('second_writer', where, 'it is recorded as a replica and accepts writes')];
    }
    return [];
  });
}

function acknowledgements(shard: ShardFacts, primary: Answered): readonly Finding[] {
  const where = `${shardName(shard)} node ${colonAddress(primary.node)}`;
  const level = shard.shard.fullsyncLevel;
  const wanted = primary.answer.acknowledgements;
  const asRecorded = shard.degraded ? wanted <= level : wanted === level;
  const findings: Finding[] = [];
  if (!asRecorded) {
    const state = shard.degraded ? ' (degraded)' : '';
    const why = `commits wait for ${String(wanted)} acknowledgements, fullsync_level is ${String(level)}${state}`;
    findings.push(finding('acknowledgements', where, why));
  }
  const clients = shard.details.get(colonAddress(primary.node))?.semiSyncClients;
  const replicas = shard.nodes.filter(
    ({ node, answer }) => node.memberState === 'replica' && node.status === 'active' && answer !== null,
  ).length;
  if (clients !== undefined && clients < replicas) {
    const why = `${String(clients)} replicas acknowledge, ${String(replicas)} are there`;
    findings.push(finding('replica_not_acknowledging', where, why));
  }
  return findings;
}

function replica(shard: ShardFacts, { node, answer }: Answered, primary: Answered): readonly Finding[] {
  const where = `${shardName(shard)} node ${colonAddress(node)}`;
  const { channel } = answer;
  const at = colonAddress(primary.node);
  const findings: Finding[] = [];
  if (channel === null || !sameAddress(channel.source, primary.node)) {
    const followed = channel === null ? 'nobody' : colonAddress(channel.source);
    findings.push(finding('replica_not_following', where, `it follows ${followed}, the primary is ${at}`));
  } else if (!channel.receiverRunning || !channel.applierRunning) {
    const state = (on: boolean): string => (on ? 'runs' : 'does not run');
    const receiver = channel.connecting ? 'finds no connection' : state(channel.receiverRunning);
    const error = channel.error === null ? '' : `: ${channel.error}`;
    const why = `the receiver ${receiver}, the applier ${state(channel.applierRunning)}${error}`;
    findings.push(finding('replica_stopped', where, why));
  }
  const errant = GtidSet.parse(answer.gtids).subtract(GtidSet.parse(primary.answer.gtids));
  if (!errant.isEmpty) {
    const why = `it has ${String(errant.size)} transactions that ${at} lacks: ${errant.toString()}`;
    findings.push(finding('errant_transactions', where, why));
  }
  return findings;
}

function replication(shard: ShardFacts, nodes: readonly Answered[]): readonly Finding[] {
  const primary = nodes.find(({ node }) => node.memberState === 'source');
  if (primary === undefined) return [];
  const replicas = nodes.filter(({ node }) => node.memberState === 'replica');
  return [...acknowledgements(shard, primary), ...replicas.flatMap((node) => replica(shard, node, primary))];
}

function group(shard: ShardFacts, nodes: readonly Answered[]): readonly Finding[] {
  return nodes.flatMap(({ node, answer }) => {
    const where = `${shardName(shard)} node ${colonAddress(node)}`;
    if (answer.groupState !== 'ONLINE') {
      return [finding('group_member', where, `it is ${answer.groupState} in its group`)];
    }
    const elected = answer.group.find((member) => member.primary);
    const isPrimary = elected !== undefined && sameAddress(elected, node);
    if (isPrimary === (node.memberState === 'source')) return [];
    const why = `the catalog says ${node.memberState}, its group's primary is ${elected === undefined ? 'nobody' : colonAddress(elected)}`;
    return [finding('roles', where, why)];
  });
}

/** Roles, replication and accounts of one shard. */
export function compareShard(shard: ShardFacts): readonly Finding[] {
  const nodes = answered(shard.nodes);
  const own = [
    ...rows(shard),
    ...shard.nodes.flatMap((node) => nodeFindings(shard, node)),
    ...writable(shard, nodes),
  ];
  switch (shard.cluster.haMode) {
    case 'no_rep':
      return own;
    case 'rbr':
      return [...own, ...replication(shard, nodes)];
    case 'mgr':
      return [...own, ...group(shard, nodes)];
  }
}
