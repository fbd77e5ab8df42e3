import type { Catalog } from '../catalog/catalog.ts';
import { groupBy } from '../core/group-by.ts';
import type { Cluster, ComputeNode, Shard, StorageNode } from '../core/model.ts';

export interface ShardTree {
  readonly shard: Shard;
  readonly nodes: readonly StorageNode[];
}

/** One cluster with everything that belongs to it. */
export interface ClusterTree {
  readonly cluster: Cluster;
  readonly shards: readonly ShardTree[];
  readonly comps: readonly ComputeNode[];
}

/** All clusters, as of one moment. */
export function clusterTrees(catalog: Catalog, signal: AbortSignal): Promise<readonly ClusterTree[]> {
  return catalog.database.read(async (sql) => {
    const clusters = await catalog.clusters.list(sql);
    const shards = groupBy(await catalog.shards.list(sql), ({ clusterId }) => clusterId);
    const nodes = groupBy(await catalog.storageNodes.list(sql), ({ shardId }) => shardId);
    const comps = groupBy(await catalog.computeNodes.list(sql), ({ clusterId }) => clusterId);
    return clusters.map((cluster) => ({
      cluster,
      shards: (shards.get(cluster.id) ?? []).map((shard) => ({ shard, nodes: nodes.get(shard.id) ?? [] })),
      comps: comps.get(cluster.id) ?? [],
    }));
  }, signal);
}
