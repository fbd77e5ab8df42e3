import type {
  ClusterRow,
  DeadLock,
  JobDifference,
  LogTable,
  NodeMapRow,
  PublicPorts,
  UnfinishedJob,
} from '../../catalog/inspection.ts';
import type { InstanceRecord } from '../../catalog/instances.ts';
import type { PendingRemoval } from '../../catalog/pending-removals.ts';
import type { PortReservation } from '../../catalog/ports.ts';
import type { InstanceView, Strays } from '../../core/agent-protocol.ts';
import type { ClusterId } from '../../core/ids.ts';
import type { Cluster, ComputeNode, HostPort, Machine, Shard } from '../../core/model.ts';
import type { FailingDefinition } from '../../engines/postgres/definitions.ts';
import type { NodeLook } from '../../ha/observe-node.ts';

/** One installation at one moment, as far as it could be seen: what `compare` judges and nothing else. */
export interface Facts {
  readonly catalog: CatalogFacts;
  readonly agents: readonly AgentFacts[];
  readonly shards: readonly ShardFacts[];
  readonly comps: readonly CompFacts[];
}

export interface CatalogFacts {
  /** Of the newest manager; null when no manager has ever taken office. */
  readonly epoch: number | null;
  readonly leaders: number;
  readonly machines: readonly Machine[];
  readonly publicPorts: readonly PublicPorts[];
  readonly instances: readonly InstanceRecord[];
  readonly reservations: readonly PortReservation[];
  readonly pendingRemovals: readonly PendingRemoval[];
  readonly clusters: readonly ClusterFacts[];
  readonly nodeMap: readonly NodeMapRow[];
  readonly logTables: readonly LogTable[];
  /** Tables with rows of clusters, and the cluster of each such row. */
  readonly clusterRows: readonly ClusterRow[];
  readonly jobs: readonly UnfinishedJob[];
  readonly jobDifferences: readonly JobDifference[];
  readonly deadLocks: readonly DeadLock[];
}

export interface ClusterFacts {
  readonly cluster: Cluster;
  /** False until its create_cluster job has ended. */
  readonly complete: boolean;
  readonly comps: readonly ComputeNode[];
}

/** Answer null: the agent could not be asked, and `failure` says why. */
export interface AgentFacts {
  readonly hostaddr: string;
  readonly answer: { readonly instances: readonly InstanceView[]; readonly strays: Strays } | null;
  readonly failure: string | null;
  /** It obeys a younger term of office than the catalog knows. */
  readonly obeysAnother: boolean;
}

/** What one storage node said about itself, or why it did not. */
export type NodeSeen = Omit<NodeLook, 'busy'>;

export interface ShardFacts {
  readonly cluster: Cluster;
  readonly shard: Shard;
  /** shards.num_nodes. */
  readonly recordedNodes: number;
  /** The manager has lowered the acknowledgements of this shard. */
  readonly degraded: boolean;
  readonly nodes: readonly NodeSeen[];
  /** By `ip:port`, of the nodes that answered. */
  readonly details: ReadonlyMap<string, NodeDetails>;
}

export interface NodeDetails {
  /** Accounts of the cluster that the server lacks, as `purpose (user)`. */
  readonly missingAccounts: readonly string[];
  /** Replicas that are connected and acknowledge. */
  readonly semiSyncClients: number;
}

export interface CompFacts {
  readonly clusterId: ClusterId;
  readonly comp: ComputeNode;
  readonly answer: CompAnswer | null;
  readonly failure: string | null;
}

export interface CompAnswer {
  /** By name of the shard. */
  readonly routes: ReadonlyMap<string, HostPort | null>;
  /** By name of the shard: what the server behind the route says it is, or why it could not be asked. */
  readonly reached: ReadonlyMap<string, string>;
  readonly missingRoles: readonly string[];
  /** The definition of another compute node that it cannot apply, and why; `null`: there is none. */
  readonly failingDefinition: FailingDefinition | null;
}
