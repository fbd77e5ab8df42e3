import type { ClusterId, ComputeNodeId, InstanceId, MachineId, ShardId, StorageNodeId } from './ids.ts';

/** The nouns of the catalog, as the code sees them (the tables behind them: ARCHITECTURE.md). */

/** no_rep: one node. rbr: GTID replication with lossless semi-sync. mgr: group replication, single-primary. */
export type HaMode = 'no_rep' | 'rbr' | 'mgr';
export const haModes = ['no_rep', 'rbr', 'mgr'] as const satisfies readonly HaMode[];

export type MachineType = 'storage' | 'computer';
/** Set by the operator (set_machine); only `running` machines receive nodes. */
export type MachineState = 'running' | 'idle' | 'dead';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** One row per host address and type: a host may be both storage and computer. */
export interface Machine {
  readonly id: MachineId;
  readonly hostaddr: string;
  readonly machineType: MachineType;
  readonly rackId: string;
  readonly state: MachineState;
  readonly agentPort: number;
  readonly portRange: PortRange;
  /** Data directories of storage nodes; the first that has room is used. */
  readonly datadir: readonly string[];
  /** Binary logs. */
  readonly logdir: readonly string[];
  /** Redo logs. */
  readonly walLogDir: readonly string[];
  /** Data directories of compute nodes. */
  readonly compDatadir: readonly string[];
  readonly totalMemoryMb: number;
  readonly totalCpuCores: number;
}

export type NodeStatus = 'creating' | 'active' | 'inactive' | 'deleted' | 'manual_stop';
export type MemberState = 'source' | 'replica';

export interface Cluster {
  readonly id: ClusterId;
  /** `cluster_<unix seconds>_<six digits>`. */
  readonly name: string;
  readonly nickName: string;
  readonly haMode: HaMode;
  readonly whenCreated: Date;
}

export interface Shard {
  readonly id: ShardId;
  readonly clusterId: ClusterId;
  /** `shard_<n>`, n from 1 within the cluster. */
  readonly name: string;
  /** Replica acknowledgements that a commit is to wait for. */
  readonly fullsyncLevel: number;
  /**
   * Acknowledgements that every commit is certain to have had: less than `fullsyncLevel` while the shard is degraded, and
   * until all that was committed meanwhile is on enough replicas. What a failover has to prove follows from it.
   */
  readonly acknowledgements: number;
  readonly degrade: DegradeSetting;
}

/** Whether the manager may lower the acknowledgements of a shard when replicas are missing, and after how long. */
export interface DegradeSetting {
  readonly enabled: boolean;
  /** Seconds for which too few replicas must have acknowledged. */
  readonly afterSeconds: number;
}

export interface StorageNode {
  readonly id: StorageNodeId;
  readonly clusterId: ClusterId;
  readonly shardId: ShardId;
  readonly machineId: MachineId;
  readonly instanceId: InstanceId;
  readonly hostaddr: string;
  readonly port: number;
  readonly memberState: MemberState;
  readonly status: NodeStatus;
  /**
   * It is being rebuilt, and before that it may have acknowledged what too few others have: a failover has to count on it,
   * though nobody can ask it.
   */
  readonly isAbsentHolder: boolean;
}

export interface ComputeNode {
  readonly id: ComputeNodeId;
  readonly clusterId: ClusterId;
  readonly machineId: MachineId;
  readonly instanceId: InstanceId;
  /** `comp<id>`. */
  readonly name: string;
  readonly hostaddr: string;
  readonly port: number;
  readonly status: NodeStatus;
}

export type CpuLimitMode = 'quota' | 'share';
export interface CpuLimit {
  /** Cores; quota: an upper bound, share: a weight that counts when the machine is busy. */
  readonly cores: number;
  readonly mode: CpuLimitMode;
}

export interface HostPort {
  readonly hostaddr: string;
  readonly port: number;
}

export const sameAddress = (left: HostPort, right: HostPort): boolean =>
  left.hostaddr === right.hostaddr && left.port === right.port;

/** `ip_port`, the notation of attachments and node_map_master. */
export const underscoreAddress = (at: HostPort): string => `${at.hostaddr}_${String(at.port)}`;
/** `ip:port`. */
export const colonAddress = (at: HostPort): string => `${at.hostaddr}:${String(at.port)}`;
