import { randomUUID } from 'node:crypto';
import type { Context } from '../topology/orders.ts';
import { placeNodes } from '../topology/place-nodes.ts';
import { nodeSizing } from '../topology/sizing.ts';
import type { CreateClusterParas } from './parameters.ts';
import type { CreateClusterPrepared } from './prepared.ts';

/** Names the cluster and decides which node goes to which machine. */
export async function prepareCreateCluster(
  context: Context,
  paras: CreateClusterParas,
): Promise<CreateClusterPrepared> {
  const sizing = nodeSizing(paras);
  const { shards, comps } = await placeNodes(context, {
    storage: {
      addresses: paras.storage_iplists,
      shards: paras.shards,
      nodesPerShard: paras.nodes,
      demand: sizing.storage,
    },
    compute: { addresses: paras.computer_iplists, nodes: paras.comps, demand: sizing.compute },
  });
  if (paras.rocksdb_block_cache_size_M !== undefined) {
    await context.note('rocksdb_block_cache_size_M does not apply: the storage engine is InnoDB');
  }
  const { catalog } = context.services;
  return {
    clusterName: await catalog.database.write((sql) => catalog.clusters.nextName(sql), context.signal),
    shards: shards.map((nodes, index) => ({
      name: `shard_${String(index + 1)}`,
      groupName: randomUUID(),
      nodes: [...nodes],
    })),
    comps: [...comps],
    memoryMb: { storage: sizing.storage.memoryMb, compute: sizing.compute.memoryMb },
  };
}
