import type { Sql } from '../../catalog/sql.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { InstanceId, ShardId, StorageNodeId } from '../../core/ids.ts';
import {
  colonAddress,
  type Cluster,
  type HostPort,
  type Machine,
  type Shard,
  type StorageNode,
} from '../../core/model.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import type { SqlSession } from '../../engines/sql.ts';
import type { Services } from '../../jobs/services.ts';
import { readClusterAccounts, type ClusterAccounts } from './accounts.ts';

/** A storage node with the way to its agent. */
export interface NodePlace extends HostPort {
  readonly instanceId: InstanceId;
  readonly agentPort: number;
}

/** What the catalog says of a shard at this moment: a failover may have changed it since the job began. */
export interface ShardNow {
  readonly cluster: Cluster;
  readonly shard: Shard;
  readonly primary: StorageNode;
  /** Every node of the shard, the primary among them. */
  readonly nodes: readonly StorageNode[];
  readonly accounts: ClusterAccounts;
}

/** @throws KlusterError shard_not_found, metadata */
export async function readShard(services: Services, id: ShardId, signal: AbortSignal): Promise<ShardNow> {
  const { catalog } = services;
  const found = await catalog.database.read(async (sql) => {
    const shard = await catalog.shards.find(sql, id);
    if (shard === undefined) return undefined;
    const cluster = await catalog.clusters.find(sql, shard.clusterId);
    const nodes = await catalog.storageNodes.list(sql, { shardId: id });
    return cluster === undefined ? undefined : { cluster, shard, nodes };
  }, signal);
  const primary = found?.nodes.find((node) => node.memberState === 'source');
  if (found === undefined || primary === undefined) {
    throw new KlusterError(
      'shard_not_found',
      `shard ${String(id)} has been deleted, or has no primary, while the job was waiting`,
    );
  }
  const accounts = await readClusterAccounts(services, found.cluster.id, signal);
  return { ...found, primary, accounts };
}

/** For a node that is no replica of the shard (any more). */
export function unsuited(now: ShardNow, at: string): KlusterError {
  return new KlusterError(
    'storage_node_unsuited',
    `${at} is not a replica of ${now.shard.name} of ${now.cluster.name}`,
  );
}

/** The replica as it is in the catalog now. @throws KlusterError storage_node_unsuited */
export function replicaOf(now: ShardNow, id: StorageNodeId): StorageNode {
  const node = now.nodes.find((candidate) => candidate.id === id);
  if (node !== undefined && node.id !== now.primary.id) return node;
  throw unsuited(now, node === undefined ? `storage node ${String(id)}` : colonAddress(node));
}

/** Runs statements on a node of the shard as the manager. */
export function onNode<T>(
  now: ShardNow,
  at: HostPort,
  signal: AbortSignal,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const { hostaddr, port } = at;
  return withMysql({ hostaddr, port, ...now.accounts.management }, signal, work);
}

/** The machine that a node lives on. @throws KlusterError metadata */
export async function machineOfNode(services: Services, sql: Sql, node: StorageNode): Promise<Machine> {
  const machines = await services.catalog.machines.list(sql);
  const machine = machines.find((candidate) => candidate.id === node.machineId);
  if (machine !== undefined) return machine;
  throw new KlusterError(
    'metadata',
    `${node.instanceId} lives on machine ${String(node.machineId)}, which is unknown`,
  );
}
