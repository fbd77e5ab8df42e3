import type { MemoryProfile } from '../../core/agent-protocol.ts';
import type { CpuLimit, CpuLimitMode } from '../../core/model.ts';

/** The parameters of create_cluster that say how large nodes are. */
export interface SizingParas {
  readonly dbcfg?: boolean;
  /** MiB. */
  readonly innodb_size?: number;
  /** Clients per compute node. */
  readonly max_connections?: number;
  readonly comps: number;
  readonly cpu_cores?: number;
  readonly cpu_limit_mode?: CpuLimitMode;
  readonly cpu_limit_node?: CpuLimitMode;
  readonly data_storage_MB?: number;
  readonly log_storage_MB?: number;
}

/** What one storage node and one compute node of the cluster take from a machine, and their engine settings. */
export interface NodeSizing {
  readonly profile: MemoryProfile;
  readonly cpuLimit: CpuLimit | undefined;
  readonly storage: {
    readonly memoryMb: number;
    readonly diskMb: number;
    readonly bufferPoolMb: number | undefined;
    readonly maxConnections: number | undefined;
  };
  readonly compute: {
    readonly memoryMb: number;
    readonly diskMb: number;
    readonly maxConnections: number | undefined;
  };
}

/** Resident MiB of a server without its buffer pool, and the pool's default, as measured on MySQL 9.7. */
const storageMemory: Record<MemoryProfile, { readonly server: number; readonly bufferPool: number }> = {
  small: { server: 200, bufferPool: 32 },
  normal: { server: 450, bufferPool: 128 },
};
const computeMemory: Record<MemoryProfile, number> = { small: 64, normal: 256 };

/** A fresh node with its redo and binary logs; what the data needs beyond that is data_storage_MB's to say. */
const emptyNodeDiskMb: Record<MemoryProfile, number> = { small: 300, normal: 1024 };
const emptyComputeDiskMb = 128;

/** InnoDB refuses a smaller buffer pool (manual, innodb_buffer_pool_size). */
const smallestBufferPoolMb = 5;

/** Connections of the manager, of replicas, of clone and of the agent's probe, on top of those of compute nodes. */
export const internalConnections = 20;

/** Connections of a compute node on top of its clients': three reserved for superusers, the manager, monitoring. */
const internalComputeConnections = 10;

/** More than this MySQL does not take (manual, max_connections). */
export const mostConnections = 100_000;

/** max_connections of a storage node when so many clients use each of so many compute nodes. */
export function storageConnections(clients: number, comps: number): number {
  return clients * comps + internalConnections;
}

export function nodeSizing(paras: SizingParas): NodeSizing {
  const profile: MemoryProfile = paras.dbcfg === true ? 'small' : 'normal';
  const bufferPoolMb =
    paras.innodb_size === undefined ? undefined : Math.max(smallestBufferPoolMb, paras.innodb_size);
  const memory = storageMemory[profile];
  const declaredDiskMb = (paras.data_storage_MB ?? 0) + (paras.log_storage_MB ?? 0);
  const { max_connections: clients, cpu_cores: cores } = paras;
  return {
    profile,
    cpuLimit:
      cores === undefined
        ? undefined
        : { cores, mode: paras.cpu_limit_mode ?? paras.cpu_limit_node ?? 'quota' },
    storage: {
      memoryMb: memory.server + (bufferPoolMb ?? memory.bufferPool),
      diskMb: Math.max(emptyNodeDiskMb[profile], declaredDiskMb),
      bufferPoolMb,
      // Each session of each compute node opens one connection to the shard.
      maxConnections: clients === undefined ? undefined : storageConnections(clients, paras.comps),
    },
    compute: {
      memoryMb: computeMemory[profile],
      diskMb: emptyComputeDiskMb,
      maxConnections: clients === undefined ? undefined : clients + internalComputeConnections,
    },
  };
}
