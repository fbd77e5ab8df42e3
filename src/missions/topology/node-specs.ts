import type { Account, MysqlInstanceSpec, PostgresInstanceSpec } from '../../core/agent-protocol.ts';
import { instanceId, type ClusterId, type InstanceId, type JobId } from '../../core/ids.ts';
import { seal } from '../../core/seal.ts';
import type { Services } from '../../jobs/services.ts';
import type { NodeSizing } from './sizing.ts';
import type { Credential } from '../../catalog/credentials.ts';

/** Distance from a storage node's port to the one of group replication (the API's port scheme). */
export const groupPortOffset = 2;

export interface StorageSpecInput {
  readonly place: {
    readonly hostaddr: string;
    readonly datadir: string;
    readonly logdir: string;
    readonly walLogDir: string;
  };
  readonly sizing: NodeSizing;
  readonly serverId: number;
  /** Absent unless ha_mode is mgr. */
  readonly groupName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly accounts: readonly Account[];
}

/**
 * Replication identifies servers of one shard by a number. The job that makes a node and the node's place in its shard
 * give one that no other job gives to a node of the same shard (32 bits; shards have at most 256 nodes).
 */
export function serverIdOf(job: JobId, nodeInShard: number): number {
  return ((job * 256 + nodeInShard) % 0xff_ff_ff_fe) + 1;
}

export function storageSpec(services: Services, input: StorageSpecInput, port: number): MysqlInstanceSpec {
  const { place, sizing } = input;
  const { bufferPoolMb, maxConnections } = sizing.storage;
  return {
    engine: 'mysql',
    hostaddr: place.hostaddr,
    port,
    groupReplicationPort: port + groupPortOffset,
    datadir: place.datadir,
    logdir: place.logdir,
    walLogDir: place.walLogDir,
    serverId: input.serverId,
    profile: sizing.profile,
    ...(bufferPoolMb === undefined ? {} : { bufferPoolMb }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(input.groupName === undefined ? {} : { groupName: input.groupName }),
    labels: input.labels,
    ...(sizing.cpuLimit === undefined ? {} : { cpuLimit: sizing.cpuLimit }),
    sealedAccounts: seal(services.installationSecret, 'agent-accounts', JSON.stringify(input.accounts)),
  };
}

export interface ComputeSpecInput {
  readonly place: { readonly hostaddr: string; readonly datadir: string };
  readonly sizing: NodeSizing;
  readonly labels: Readonly<Record<string, string>>;
  readonly superuser: Credential;
}

export function computeSpec(services: Services, input: ComputeSpecInput, port: number): PostgresInstanceSpec {
  const { place, sizing, superuser } = input;
  const { maxConnections } = sizing.compute;
  return {
    engine: 'postgres',
    hostaddr: place.hostaddr,
    port,
    datadir: place.datadir,
    profile: sizing.profile,
    ...(maxConnections === undefined ? {} : { maxConnections }),
    labels: input.labels,
    ...(sizing.cpuLimit === undefined ? {} : { cpuLimit: sizing.cpuLimit }),
    sealedAccounts: seal(
      services.installationSecret,
      'agent-accounts',
      JSON.stringify([{ purpose: 'management', ...superuser }]),
    ),
  };
}

/** The name of the instance at its agent, e.g. `cluster7-shard1-node2`. */
export function instanceName(cluster: ClusterId, part: string): InstanceId {
  return instanceId(`cluster${String(cluster)}-${part}`);
}
