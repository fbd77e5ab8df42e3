import type { Sql } from '../../catalog/sql.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type ComputeNode, type HostPort, type StorageNode } from '../../core/model.ts';
import type { Services } from '../../jobs/services.ts';

/** A node of a cluster, of whichever engine. */
export type ClusterNode =
  | { readonly kind: 'storage'; readonly node: StorageNode }
  | { readonly kind: 'compute'; readonly node: ComputeNode };

/** The node at an address. @throws KlusterError instance_address_unknown */
export async function nodeAt(services: Services, at: HostPort, signal?: AbortSignal): Promise<ClusterNode> {
  return services.catalog.database.read((sql) => readNodeAt(services, sql, at), signal);
}

/** Within a transaction of the caller. @throws KlusterError instance_address_unknown */
export async function readNodeAt({ catalog }: Services, sql: Sql, at: HostPort): Promise<ClusterNode> {
  const storage = await catalog.storageNodes.findByAddress(sql, at);
  if (storage !== undefined) return { kind: 'storage', node: storage };
  const compute = await catalog.computeNodes.findByAddress(sql, at);
  if (compute !== undefined) return { kind: 'compute', node: compute };
  throw new KlusterError(
    'instance_address_unknown',
    `no node of a cluster has the address ${colonAddress(at)}`,
  );
}
