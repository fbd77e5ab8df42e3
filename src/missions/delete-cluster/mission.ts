import type { Sql } from '../../catalog/sql.ts';
import { KlusterError, type Violation } from '../../core/errors/kluster-error.ts';
import { clusterId } from '../../core/ids.ts';
import type { Cluster } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { completenessRule } from '../create-cluster/in-the-making.ts';
import { instancePlaceOf } from '../topology/removal.ts';
import { deleteClusterAttachment } from './attachment.ts';
import { deleteClusterParas, type DeleteClusterParas } from './parameters.ts';
import { deleteClusterPlan } from './plan.ts';
import { deleteClusterPrepared, type DeleteClusterPrepared } from './prepared.ts';

export const deleteCluster = defineMission<Services>()({
  jobType: 'delete_cluster',
  aliases: [],
  summary: 'Delete a cluster with all of its data: processes, directories, ports, rows',
  paras: deleteClusterParas,
  prepared: deleteClusterPrepared,
  example: { cluster_id: '1' },
  doneText: 'OK',
  async admit(services, paras) {
    const found = await services.catalog.database.read(async (sql) => {
      const cluster = await findCluster(services, sql, paras);
      return 'rule' in cluster ? cluster : ((await inTheMaking(sql, cluster, paras)) ?? cluster);
    });
    return 'rule' in found
      ? { admitted: false, violations: [found] }
      : { admitted: true, locks: [`cluster:${String(found.id)}`] };
  },
  prepare: ({ services, signal }, paras) =>
    services.catalog.database.read((sql) => readCluster(services, sql, paras), signal),
  plan: (_, prepared) => deleteClusterPlan(prepared),
  attachment: deleteClusterAttachment,
});

/** Refused, not queued: who deletes a cluster while it is being made wants `cancel`, which is faster and cleaner. */
async function inTheMaking(
  sql: Sql,
  cluster: Cluster,
  { cluster_id: id, cluster_name: name }: DeleteClusterParas,
): Promise<Violation | undefined> {
  const rule = await completenessRule(sql, cluster.name);
  if (rule === undefined) return undefined;
  return {
    field: id === undefined ? 'paras.cluster_name' : 'paras.cluster_id',
    value: shownValue(id ?? name),
    rule,
    code: id === undefined ? 70_097 : 70_098,
  };
}

async function findCluster(
  { catalog }: Services,
  sql: Sql,
  paras: DeleteClusterParas,
): Promise<Cluster | Violation> {
  const { cluster_id: id, cluster_name: name } = paras;
  if (id !== undefined) {
    const cluster = await catalog.clusters.find(sql, clusterId(id));
    return (
      cluster ?? {
        field: 'paras.cluster_id',
        value: shownValue(id),
        rule: 'must be the id of a cluster',
        code: 70_098,
      }
    );
  }
  if (name === undefined) {
    return {
      field: 'paras.cluster_id',
      value: undefined,
      rule: 'cluster_id or cluster_name is required',
      code: 70_096,
    };
  }
  const violation = (rule: string): Violation => ({
    field: 'paras.cluster_name',
    value: shownValue(name),
    rule,
    code: 70_097,
  });
  const byName = await catalog.clusters.findByName(sql, name);
  if (byName !== undefined) return byName;
  const [byNickName, another] = await catalog.clusters.findByNickName(sql, name);
  if (byNickName === undefined) return violation('must be the name of a cluster');
  return another === undefined
    ? byNickName
    : violation('several clusters have this nick name: give cluster_id');
}

async function readCluster(
  services: Services,
  sql: Sql,
  paras: DeleteClusterParas,
): Promise<DeleteClusterPrepared> {
  const { catalog } = services;
  const cluster = await findCluster(services, sql, paras);
  if ('rule' in cluster) {
    throw new KlusterError('cluster_not_found', 'the cluster was deleted while this job was waiting');
  }
  const machines = await catalog.machines.list(sql);
  const nodes = await catalog.storageNodes.list(sql, { clusterId: cluster.id });
  const comps = await catalog.computeNodes.list(sql, { clusterId: cluster.id });
  const shards = await catalog.shards.list(sql, cluster.id);
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    shards: shards.map((shard) => ({
      shardId: shard.id,
      name: shard.name,
      nodes: nodes.filter((node) => node.shardId === shard.id).map((node) => instancePlaceOf(node, machines)),
    })),
    comps: comps.map((comp) => instancePlaceOf(comp, machines)),
  };
}
