import type { Credential } from '../catalog/credentials.ts';
import type { Cluster, ComputeNode, Shard, StorageNode } from '../core/model.ts';
import { isSpoilt } from './diagnose-replica.ts';
import { observeNode, type ManagementAccount } from './observe-node.ts';
import { observeRoutes } from './routes.ts';
import type { AgentReport, FailoverPolicy, NodeObservation, ShardObservation } from './shard-observation.ts';
import { diskTrouble } from './disk-word.ts';
import { isStarved } from './degrade.ts';
import { answered } from './shared-diagnoses.ts';
import { isIsolated } from './isolated-primary.ts';
import type { Since } from './since.ts';
import type { Silences } from './silences.ts';

/** What the catalog says about a shard. */
export interface ShardRecord {
  readonly shard: Shard;
  readonly cluster: Cluster;
  /** Those that serve: what jobs are making or removing is not theirs to be looked at. */
  readonly nodes: readonly StorageNode[];
  /** Those that an operator has stopped, or that are rebuilt without proof; what they acknowledged before counts. */
  readonly stopped: readonly StorageNode[];
  /** Those that no job is making any more, though it has not finished them. */
  readonly unfinished: readonly StorageNode[];
  readonly comps: readonly ComputeNode[];
  readonly account: ManagementAccount;
  /** Every account of the cluster by its purpose. */
  readonly accounts: ReadonlyMap<string, Credential>;
  readonly recentFailovers: number;
  /** Until when automatic failover is suspended; null when it is not. */
  readonly noSwitchUntil: Date | null;
}

export interface ShardWitnesses {
  readonly failoverPolicy: FailoverPolicy;
  report(node: StorageNode): AgentReport | null;
}

/** What is known of a shard besides what one look gives. */
export interface ShardMemory {
  readonly witnesses: ShardWitnesses;
  /** Since when nodes have not answered. */
  readonly silences: Silences;
  /** Since when their replication has been stopped by an error, or they have followed with transactions of their own. */
  readonly breaks: Silences;
  readonly starvation: Since;
  readonly isolation: Since;
  /** That the disk of the primary takes no writes. */
  readonly primaryDisk: Since;
}

/** Asks every node and every compute node at the same time; the longest any of them may take is the length of a look. */
export async function observeShard(
  record: ShardRecord,
  { witnesses, silences, breaks, starvation, isolation, primaryDisk }: ShardMemory,
  signal: AbortSignal,
): Promise<ShardObservation> {
  const { shard, cluster, nodes, comps, account, accounts } = record;
  const lookedAt = performance.now();
  const [answers, routes] = await Promise.all([
    Promise.all(nodes.map((node) => observeNode(node, cluster.haMode, account, signal))),
    observeRoutes({ shard, comps, accounts }, signal),
  ]);
  const asked = answered(answers).find(({ node }) => node.memberState === 'source');
  const observed = answers.map((observation): NodeObservation => ({
    ...observation,
    ...silences.note(observation.node.id, observation.answer !== null, lookedAt),
    brokenMs: breaks.note(observation.node.id, !isSpoilt(observation, asked), lookedAt).silentMs,
    agent: witnesses.report(observation.node),
  }));
  const observation: ShardObservation = {
    name: shard.name,
    haMode: cluster.haMode,
    fullsyncLevel: shard.fullsyncLevel,
    acknowledgements: shard.acknowledgements,
    degrade: shard.degrade,
    starvedMs: 0,
    isolatedMs: 0,
    diskMs: 0,
    noSwitchUntil: record.noSwitchUntil,
    nodes: observed,
    stopped: record.stopped,
    unfinished: record.unfinished,
    recentFailovers: record.recentFailovers,
    failoverPolicy: witnesses.failoverPolicy,
    routes,
  };
  const primary = answered(observed).find(({ node }) => node.memberState === 'source');
  const starved = primary !== undefined && isStarved(observation, primary);
  const source = observed.find(({ node }) => node.memberState === 'source');
  const isolated = primary !== undefined && isIsolated(observation, primary);
  return {
    ...observation,
    starvedMs: starvation.note(starved, lookedAt),
    isolatedMs: isolation.note(isolated, lookedAt),
    diskMs: primaryDisk.note(source !== undefined && diskTrouble(source) !== null, lookedAt),
  };
}
