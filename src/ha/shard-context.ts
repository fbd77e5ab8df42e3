import type { Catalog } from '../catalog/catalog.ts';
import { clusterScope, type Credential } from '../catalog/credentials.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { ShardId } from '../core/ids.ts';
import type { Cluster, ComputeNode, Shard, StorageNode } from '../core/model.ts';
import type { ManagementAccount } from './observe-node.ts';

/** What the catalog says about one shard, at one moment. */
export interface ShardContext {
  readonly catalog: Catalog;
  readonly shard: Shard;
  readonly cluster: Cluster;
  readonly nodes: readonly StorageNode[];
  /** The compute nodes of its cluster. */
  readonly comps: readonly ComputeNode[];
  readonly account: ManagementAccount;
  /** Every account of the cluster by its purpose. */
  readonly accounts: ReadonlyMap<string, Credential>;
}

/** @throws KlusterError switchover_refused when the shard is gone, metadata when its cluster lacks an account */
export async function readShardContext(
  catalog: Catalog,
  id: ShardId,
  signal: AbortSignal,
): Promise<ShardContext> {
  return catalog.database.read(async (sql) => {
    const shard = await catalog.shards.find(sql, id);
    const cluster = shard === undefined ? undefined : await catalog.clusters.find(sql, shard.clusterId);
    if (shard === undefined || cluster === undefined) {
      throw new KlusterError('switchover_refused', `there is no shard ${String(id)} (any more)`, {
        code: 70_027,
      });
    }
    const accounts = await catalog.credentials.list(sql, clusterScope(cluster.id));
    const account = accounts.get('management');
    if (account === undefined) {
      throw new KlusterError('metadata', `cluster ${cluster.name} has no management account`);
    }
    return {
      catalog,
      shard,
      cluster,
      nodes: await catalog.storageNodes.list(sql, { shardId: id }),
      comps: await catalog.computeNodes.list(sql, { clusterId: cluster.id }),
      account,
      accounts,
    };
  }, signal);
}
