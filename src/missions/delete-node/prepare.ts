import type { Sql } from '../../catalog/sql.ts';
import type { Violation } from '../../core/errors/kluster-error.ts';
import { colonAddress, sameAddress, type StorageNode } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import type { Services } from '../../jobs/services.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import type { Context } from '../topology/orders.ts';
import { instancePlaceOf } from '../topology/removal.ts';
import { replicaOf, readShard } from '../topology/shard-now.ts';
import { tellableComps } from '../topology/tell-compute-nodes.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import type { DeleteNodeParas } from './parameters.ts';
import type { DeleteNodePrepared } from './prepared.ts';

export function deleteNodeRules(services: Services, paras: DeleteNodeParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_168, withoutMemo: 70_113 },
    async check(whole, sql) {
      const violation = await violationOf(services, sql, whole, paras);
      return violation === undefined ? [] : [violation];
    },
  };
}

async function violationOf(
  { catalog }: Services,
  sql: Sql,
  { cluster, shards, settings }: WholeCluster,
  paras: DeleteNodeParas,
): Promise<Violation | undefined> {
  const { shard_id: shardId } = paras;
  const violation = (rule: string, code: number, field = 'paras.hostaddr'): Violation => ({
    field,
    value: shownValue(field === 'paras.shard_id' ? shardId : colonAddress(paras)),
    rule,
    code,
  });
  if (shardId !== undefined && !shards.some(({ id }) => id === shardId)) {
    return violation(`must be the id of a shard of cluster ${String(cluster.id)}`, 70_169, 'paras.shard_id');
  }
  const nodes = await catalog.storageNodes.list(sql, { clusterId: cluster.id });
  const node = nodes.find((one) => sameAddress(one, paras));
  const shard = shards.find(({ id }) => id === node?.shardId);
  if (node === undefined || shard === undefined || (shardId !== undefined && shardId !== shard.id)) {
    const where = shardId === undefined ? `cluster ${String(cluster.id)}` : `shard ${String(shardId)}`;
    return violation(`must be the address of a node of ${where}`, 70_173);
  }
  const left = nodes.filter((one) => one.shardId === shard.id).length - 1;
  if (left < 1) return violation(`must not be the only node of ${shard.name}`, 70_159);
  if (node.memberState === 'source') {
    return violation(`must not be the primary of ${shard.name}: move it first with manual_switch`, 70_172);
  }
  const level = settings.fullsync_level === undefined ? 0 : shard.fullsyncLevel;
  if (left - 1 >= level) return undefined;
  return violation(
    `must leave ${shard.name} with at least ${String(level + 1)} nodes: its commits wait for ${String(level)} replicas`,
    70_007,
  );
}

export async function prepareDeleteNode(
  { services, signal }: Context,
  paras: DeleteNodeParas,
): Promise<DeleteNodePrepared> {
  const { catalog } = services;
  const { cluster, comps } = await requireWholeCluster(services, deleteNodeRules(services, paras), signal);
  const { found, machines } = await catalog.database.read(
    async (sql) => ({
      found: await catalog.storageNodes.findByAddress(sql, paras),
      machines: await catalog.machines.list(sql),
    }),
    signal,
  );
  const node = await stillReplica(services, found, signal);
  const { shard } = node.now;
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    shardId: shard.id,
    shardName: shard.name,
    nodeId: node.row.id,
    formerStatus: node.row.status,
    place: instancePlaceOf(node.row, machines),
    comps: tellableComps(comps),
  };
}

async function stillReplica(services: Services, found: StorageNode | undefined, signal: AbortSignal) {
  if (found === undefined) throw new RangeError('the node was there a moment ago');
  const now = await readShard(services, found.shardId, signal);
  return { now, row: replicaOf(now, found.id) };
}
