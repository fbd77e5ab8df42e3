import type { Catalog } from '../../catalog/catalog.ts';
import type { Sql } from '../../catalog/sql.ts';
import type { Violation } from '../../core/errors/kluster-error.ts';
import { clusterId } from '../../core/ids.ts';
import type { Cluster, ComputeNode, Shard } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { completenessRule } from '../create-cluster/in-the-making.ts';
import { clusterSettings, type ClusterSettings } from './cluster-settings.ts';

/** A cluster that is complete, with what jobs that change its shape need to know of it. */
export interface WholeCluster {
  readonly cluster: Cluster;
  readonly settings: ClusterSettings;
  readonly shards: readonly Shard[];
  readonly comps: readonly ComputeNode[];
}

/**
 * The cluster that `paras.cluster_id` names. `codes`: the wire codes for an id that is none, and for a cluster without
 * a memo.
 */
export async function findWholeCluster(
  catalog: Catalog,
  sql: Sql,
  id: number,
  codes: { readonly unknown: number; readonly withoutMemo: number },
): Promise<WholeCluster | Violation> {
  const violation = (rule: string, code: number): Violation => ({
    field: 'paras.cluster_id',
    value: shownValue(id),
    rule,
    code,
  });
  const cluster = await catalog.clusters.find(sql, clusterId(id));
  if (cluster === undefined) return violation('must be the id of a cluster', codes.unknown);
  const rule = await completenessRule(sql, cluster.name);
  if (rule !== undefined) return violation(rule, codes.unknown);
  const memo = await catalog.clusters.memo(sql, cluster.id);
  if (memo === undefined) {
    return violation('must be a cluster that is complete: it has no memo', codes.withoutMemo);
  }
  return {
    cluster,
    settings: clusterSettings(memo),
    shards: await catalog.shards.list(sql, cluster.id),
    comps: await catalog.computeNodes.list(sql, { clusterId: cluster.id }),
  };
}
