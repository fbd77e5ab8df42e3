import type { Cluster } from '../core/model.ts';
import type { Catalog } from './catalog.ts';
import { metadataPurpose, newMetadataAccount } from './compute-access.ts';
import { clusterScope } from './credentials.ts';
import { topologyChanged } from './topology-changed.ts';

/**
 * Clusters that were made before compute nodes logged in to the metadata server get what register makes for new ones: log
 * tables with a partition for each compute node, and the account. Their compute nodes are told like of any change. Cheap
 * and without effect when there is none; the account is stored last, so that a manager that dies before repeats it.
 */
export async function giveMissingAccess(catalog: Catalog, signal: AbortSignal): Promise<readonly string[]> {
  const clusters = await catalog.database.read(async (sql) => {
    const lacking: Cluster[] = [];
    for (const cluster of await catalog.clusters.list(sql)) {
      const account = await catalog.credentials.find(sql, clusterScope(cluster.id), metadataPurpose);
      if (account === undefined) lacking.push(cluster);
    }
    return lacking;
  }, signal);
  for (const cluster of clusters) await giveAccess(catalog, cluster, signal);
  return clusters.map(({ name }) => name);
}

async function giveAccess(catalog: Catalog, { id, name }: Cluster, signal: AbortSignal): Promise<void> {
  const { database, clusterLogs, computeAccess, computeNodes, credentials } = catalog;
  const account = newMetadataAccount(id);
  await clusterLogs.create(name, signal);
  const nodes = await database.read((sql) => computeNodes.list(sql, { clusterId: id }), signal);
  for (const node of nodes) await clusterLogs.addComputeNode(name, node.id, signal);
  await computeAccess.allow(name, account, signal);
  await database.write(async (sql) => {
    await credentials.put(sql, clusterScope(id), metadataPurpose, account);
    await topologyChanged(sql, id);
  }, signal);
}
