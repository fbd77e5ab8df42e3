import type { Violation } from '../../core/errors/kluster-error.ts';
import { shardId } from '../../core/ids.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import type { Context } from '../topology/orders.ts';
import { instancePlaceOf } from '../topology/removal.ts';
import { tellableComps } from '../topology/tell-compute-nodes.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import { requireEmpty } from './empty-shard.ts';
import type { DeleteShardParas } from './parameters.ts';
import type { DeleteShardPrepared } from './prepared.ts';

export function deleteShardRules(paras: DeleteShardParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_139, withoutMemo: 70_113 },
    check: (whole) => shardViolations(whole, paras),
  };
}

function shardViolations(
  { cluster, shards }: WholeCluster,
  { shard_id: id }: DeleteShardParas,
): readonly Violation[] {
  const violation = (rule: string, code: number): Violation => ({
    field: 'paras.shard_id',
    value: shownValue(id),
    rule,
    code,
  });
  if (!shards.some((shard) => shard.id === id)) {
    const known = shards.map((shard) => `${String(shard.id)} (${shard.name})`).join(', ');
    return [violation(`must be a shard of cluster ${String(cluster.id)}, which has ${known}`, 70_140)];
  }
  return shards.length > 1 ? [] : [violation('must not be the only shard of its cluster', 70_174)];
}

/** Refuses a shard that holds tables before anything is changed. */
export async function prepareDeleteShard(
  context: Context,
  paras: DeleteShardParas,
): Promise<DeleteShardPrepared> {
  const { services, signal } = context;
  const { cluster, shards, comps } = await requireWholeCluster(services, deleteShardRules(paras), signal);
  const id = shardId(paras.shard_id);
  const shardName = shards.find((shard) => shard.id === id)?.name ?? '';
  await requireEmpty(context, { clusterId: cluster.id, shardId: id, shardName });
  const { catalog } = services;
  const { nodes, machines } = await catalog.database.read(
    async (sql) => ({
      nodes: await catalog.storageNodes.list(sql, { shardId: id }),
      machines: await catalog.machines.list(sql),
    }),
    signal,
  );
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    shardId: id,
    shardName,
    nodes: nodes.map((node) => ({
      nodeId: node.id,
      status: node.status,
      place: instancePlaceOf(node, machines),
    })),
    comps: tellableComps(comps),
  };
}
