import type { MetadataNode } from '../catalog/metadata-nodes.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { groupBy } from '../core/group-by.ts';
import type { InstanceId } from '../core/ids.ts';
import {
  type HaMode,
  type HostPort,
  type Machine,
  type NodeStatus,
  sameAddress,
  type StorageNode,
} from '../core/model.ts';
import type {
  ClusterJson,
  ComputeNodeJson,
  MachineJson,
  MetadataNodeJson,
  ShardJson,
  StatusJson,
  StorageNodeJson,
} from '../core/rest-types.ts';
import type { Services, ShardWord } from '../jobs/services.ts';
import { agentReports, type AgentReport } from './agent-reports.ts';
import { clusterTrees, type ClusterTree, type ShardTree } from './cluster-tree.ts';
import { groupPrimary } from './group-primary.ts';

type Reports = ReadonlyMap<string, AgentReport>;

interface KnownNode {
  readonly hostaddr: string;
  readonly instanceId: InstanceId;
  readonly status: NodeStatus;
}

/**
 * The catalog's word, corrected by what the agent sees: `unreachable` when the agent is silent, `inactive` when a node
 * that should serve has no process.
 */
function liveState(node: KnownNode, reports: Reports): Pick<StorageNodeJson, 'status' | 'pid' | 'datadir'> {
  const report = reports.get(node.hostaddr);
  if (report === undefined) return { status: 'unreachable', pid: null, datadir: null };
  const instance = report.get(node.instanceId);
  const pid = instance?.pid ?? null;
  const status = node.status === 'active' && pid === null ? 'inactive' : node.status;
  return { status, pid, datadir: instance?.datadir ?? null };
}

function isPrimary(node: StorageNode, primary: HostPort | undefined): boolean {
  if (primary === undefined) return node.memberState === 'source';
  return sameAddress(node, primary);
}

function machineList(machines: readonly Machine[], reports: Reports): readonly MachineJson[] {
  return [...groupBy(machines, ({ hostaddr }) => hostaddr)].map(([hostaddr, rows]) => ({
    hostaddr,
    roles: rows.map(({ machineType }) => machineType),
    status: reports.get(hostaddr) === undefined ? 'offline' : 'online',
  }));
}

/** Process ids of servers that the manager itself keeps, without an agent. */
export interface OwnServers {
  metadataPid(at: HostPort): number | null;
}

/** What exists: the catalog's rows joined with what agents, and the groups themselves, say at this moment. */
export class LiveTopology {
  private readonly services: Services;
  private readonly ownServers: OwnServers;

  constructor(services: Services, ownServers: OwnServers) {
    this.services = services;
    this.ownServers = ownServers;
  }

  async machines(signal: AbortSignal): Promise<readonly MachineJson[]> {
    const machines = await this.machineRows(signal);
    return machineList(machines, await agentReports(this.services, machines, signal));
  }

  async clusters(signal: AbortSignal): Promise<readonly ClusterJson[]> {
    const { catalog } = this.services;
    const [trees, machines] = await Promise.all([clusterTrees(catalog, signal), this.machineRows(signal)]);
    const reports = await agentReports(this.services, machines, signal);
    return Promise.all(trees.map((tree) => this.clusterJson(tree, reports, signal)));
  }

  async cluster(idOrName: string, signal: AbortSignal): Promise<ClusterJson> {
    const trees = await clusterTrees(this.services.catalog, signal);
    const tree = findCluster(trees, idOrName);
    const reports = await agentReports(this.services, await this.machineRows(signal), signal);
    return this.clusterJson(tree, reports, signal);
  }

  async status(signal: AbortSignal): Promise<Omit<StatusJson, 'manager'>> {
    const { catalog } = this.services;
    const [trees, machines, metadata] = await Promise.all([
      clusterTrees(catalog, signal),
      this.machineRows(signal),
      catalog.database.read(
        async (sql): Promise<{ mode: HaMode; nodes: readonly MetadataNode[] }> => ({
          mode: await catalog.metadataNodes.mode(sql),
          nodes: await catalog.metadataNodes.list(sql),
        }),
        signal,
      ),
    ]);
    const reports = await agentReports(this.services, machines, signal);
    return {
      metadata: {
        mode: metadata.mode,
        nodes: metadata.nodes.map((node) => this.metadataJson(node, reports)),
      },
      machines: machineList(machines, reports),
      clusters: await Promise.all(trees.map((tree) => this.clusterJson(tree, reports, signal))),
    };
  }

  private machineRows(signal: AbortSignal): Promise<readonly Machine[]> {
    const { catalog } = this.services;
    return catalog.database.read((sql) => catalog.machines.list(sql), signal);
  }

  /** In a cluster of the metadata's own the agents know the servers; they are told by address. */
  private metadataJson(node: MetadataNode, reports: Reports): MetadataNodeJson {
    const { hostaddr, port, memberState } = node;
    const instances = [...(reports.get(hostaddr)?.values() ?? [])];
    const instance = instances.find((known) => known.hostaddr === hostaddr && known.port === port);
    return { hostaddr, port, role: memberState, pid: instance?.pid ?? this.ownServers.metadataPid(node) };
  }

  private async clusterJson(tree: ClusterTree, reports: Reports, signal: AbortSignal): Promise<ClusterJson> {
    const { cluster, shards, comps } = tree;
    return {
      cluster_id: cluster.id,
      cluster_name: cluster.name,
      nick_name: cluster.nickName,
      ha_mode: cluster.haMode,
      shards: await Promise.all(
        shards.map(async (shard) => {
          const elected =
            cluster.haMode === 'mgr' ? await groupPrimary(this.services, shard, signal) : undefined;
          const word = this.services.shards.lastWord(shard.shard.id);
          return shardJson(shard, { elected, word }, reports);
        }),
      ),
      comps: comps.map((node): ComputeNodeJson => ({
        comp_id: node.id,
        comp_name: node.name,
        hostaddr: node.hostaddr,
        port: node.port,
        ...liveState(node, reports),
      })),
    };
  }
}

interface ShardFindings {
  readonly elected: HostPort | undefined;
  readonly word: ShardWord | null;
}

function shardJson(
  { shard, nodes }: ShardTree,
  { elected, word }: ShardFindings,
  reports: Reports,
): ShardJson {
  return {
    shard_id: shard.id,
    shard_name: shard.name,
    state: word?.state ?? null,
    reason: word?.reason ?? null,
    nodes: nodes.map((node) => ({
      node_id: node.id,
      hostaddr: node.hostaddr,
      port: node.port,
      role: isPrimary(node, elected) ? 'source' : 'replica',
      ...liveState(node, reports),
    })),
  };
}

function findCluster(trees: readonly ClusterTree[], idOrName: string): ClusterTree {
  const byName = trees.find(({ cluster }) => cluster.name === idOrName || String(cluster.id) === idOrName);
  if (byName !== undefined) return byName;
  const [tree, ...others] = trees.filter(({ cluster }) => cluster.nickName === idOrName);
  if (tree === undefined) {
    throw new KlusterError('cluster_not_found', `There is no cluster ${JSON.stringify(idOrName)}`);
  }
  if (others.length > 0) {
    const ids = [tree, ...others].map(({ cluster }) => String(cluster.id)).join(', ');
    const message = `The nick name ${JSON.stringify(idOrName)} belongs to several clusters; name one by its id: ${ids}`;
    throw new KlusterError('cluster_not_found', message);
  }
  return tree;
}
