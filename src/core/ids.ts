/**
 * Branded identifiers: a cluster's id can never be passed where a shard's is meant.
 * All numeric ids are positive integers from AUTO_INCREMENT columns of the catalog.
 */
declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** `cluster_general_job_log.id`; on the wire a decimal string. */
export type JobId = Branded<number, 'JobId'>;
/** `db_clusters.id`. */
export type ClusterId = Branded<number, 'ClusterId'>;
/** `shards.id`. */
export type ShardId = Branded<number, 'ShardId'>;
/** `shard_nodes.id`. */
export type StorageNodeId = Branded<number, 'StorageNodeId'>;
/** `comp_nodes.id`. */
export type ComputeNodeId = Branded<number, 'ComputeNodeId'>;
/** `server_nodes.id`: one row per host address and machine type. */
export type MachineId = Branded<number, 'MachineId'>;
/** Name of one engine process group on one machine, unique per installation: `[a-z0-9][a-z0-9-]{0,62}`. */
export type InstanceId = Branded<string, 'InstanceId'>;
/** The leader's fencing number: grows with every term of office. */
export type Epoch = Branded<number, 'Epoch'>;

function positiveInteger(kind: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${kind} must be a positive integer, got ${String(value)}`);
  }
  return value;
}

export const jobId = (value: number): JobId => positiveInteger('job id', value) as JobId;
export const clusterId = (value: number): ClusterId => positiveInteger('cluster id', value) as ClusterId;
export const shardId = (value: number): ShardId => positiveInteger('shard id', value) as ShardId;
export const storageNodeId = (value: number): StorageNodeId =>
  positiveInteger('storage node id', value) as StorageNodeId;
export const computeNodeId = (value: number): ComputeNodeId =>
  positiveInteger('compute node id', value) as ComputeNodeId;
export const machineId = (value: number): MachineId => positiveInteger('machine id', value) as MachineId;
export const epoch = (value: number): Epoch => positiveInteger('epoch', value) as Epoch;

const instancePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function instanceId(value: string): InstanceId {
  if (!instancePattern.test(value)) {
    throw new RangeError(`instance id must match ${instancePattern.source}, got ${JSON.stringify(value)}`);
  }
  return value as InstanceId;
}
