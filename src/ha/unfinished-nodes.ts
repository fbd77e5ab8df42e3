import type { Catalog } from '../catalog/catalog.ts';
import { jobsUnderLock } from '../catalog/jobs.ts';
import type { Shard, StorageNode } from '../core/model.ts';

/**
 * Nodes of a shard that are being made while no job works on its cluster. The jobs are read first: one that ends after that
 * has finished its nodes, or has not.
 */
export async function unfinishedNodes(
  { database, storageNodes }: Catalog,
  { id, clusterId }: Shard,
  signal: AbortSignal,
): Promise<readonly StorageNode[]> {
  const lock = `cluster:${String(clusterId)}`;
  const jobs = await database.read((sql) => jobsUnderLock(sql, lock), signal);
  if (jobs.length > 0) return [];
  const nodes = await database.read((sql) => storageNodes.list(sql, { shardId: id }), signal);
  return nodes.filter(({ status }) => status === 'creating');
}
