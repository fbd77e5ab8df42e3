import type { Catalog } from '../catalog/catalog.ts';
import type { Sql } from '../catalog/sql.ts';
import { violationsError, type Violation } from '../core/errors/kluster-error.ts';
import { clusterId, shardId } from '../core/ids.ts';
import type { Cluster, Shard } from '../core/model.ts';
import { shownValue } from '../core/parameters/parse.ts';

const violation = (field: string, value: unknown, rule: string, code: number): Violation => ({
  field: `paras.${field}`,
  value: shownValue(value),
  rule,
  code,
});

/** @throws KlusterError invalid_parameters (70503) when there is none with this id */
export async function requireCluster({ clusters }: Catalog, sql: Sql, id: number): Promise<Cluster> {
  const cluster = await clusters.find(sql, clusterId(id));
  if (cluster !== undefined) return cluster;
  throw violationsError([violation('cluster_id', id, 'must be the id of a cluster', 70_503)]);
}

/** @throws KlusterError invalid_parameters (70027) when the cluster has none with this id */
export async function requireShard(
  { shards }: Catalog,
  sql: Sql,
  { cluster, id }: { readonly cluster: Cluster; readonly id: number },
): Promise<Shard> {
  const shard = await shards.find(sql, shardId(id));
  if (shard?.clusterId === cluster.id) return shard;
  throw violationsError([violation('shard_id', id, `must be the id of a shard of ${cluster.name}`, 70_027)]);
}
