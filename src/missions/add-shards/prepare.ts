import { randomUUID } from 'node:crypto';
import type { Violation } from '../../core/errors/kluster-error.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import { instanceName } from '../topology/node-specs.ts';
import { nodesForMode } from '../topology/nodes-for-mode.ts';
import type { Context } from '../topology/orders.ts';
import { placeNodes } from '../topology/place-nodes.ts';
import { nodeSizing } from '../topology/sizing.ts';
import { tellableComps } from '../topology/tell-compute-nodes.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import type { AddShardsParas } from './parameters.ts';
import type { AddShardsPrepared } from './prepared.ts';

export function addShardsRules(paras: AddShardsParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_119, withoutMemo: 70_113 },
    check: (whole) =>
      [nodesForMode(whole.cluster.haMode, paras.nodes, 70_123), nodesForLevel(whole, paras)].filter(
        (violation) => violation !== undefined,
      ),
  };
}

function nodesForLevel({ settings }: WholeCluster, { nodes }: AddShardsParas): Violation | undefined {
  const level = settings.fullsync_level ?? 0;
  if (nodes > level) return undefined;
  return {
    field: 'paras.nodes',
    value: shownValue(nodes),
    rule: `must be at least ${String(level + 1)}: a commit of this cluster waits for ${String(level)} replicas`,
    code: 70_176,
  };
}

/** Names the shards and decides which node goes to which machine. */
export async function prepareAddShards(context: Context, paras: AddShardsParas): Promise<AddShardsPrepared> {
  const { services, jobId } = context;
  const { cluster, settings, shards, comps } = await requireWholeCluster(
    services,
    addShardsRules(paras),
    context.signal,
  );
  const sizing = nodeSizing({ ...settings, comps: comps.length });
  const placed = await placeNodes(context, {
    storage: {
      addresses: paras.storage_iplists,
      shards: paras.shards,
      nodesPerShard: paras.nodes,
      demand: sizing.storage,
    },
    lackingCode: 70_128,
  });
  const { catalog } = services;
  const highest = await catalog.database.read(
    (sql) => catalog.shards.highestNumber(sql, cluster.id),
    context.signal,
  );
  const fresh = placed.shards.map((nodes, index) => {
    const number = String(highest + index + 1);
    // A shard of this number may have existed, and a machine that does not answer may still have a node of it.
    const instancePrefix = instanceName(cluster.id, `shard${number}-job${String(jobId)}`);
    return { name: `shard_${number}`, groupName: randomUUID(), instancePrefix, nodes: [...nodes] };
  });
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    nickName: cluster.nickName,
    haMode: cluster.haMode,
    settings,
    shardsBefore: shards.length,
    shards: fresh,
    comps: tellableComps(comps),
    promised: fresh.flatMap(({ instancePrefix, nodes }) =>
      nodes.map(({ hostaddr }, index) => ({
        instanceId: `${instancePrefix}-node${String(index + 1)}`,
        hostaddr,
        machineType: 'storage' as const,
        memoryMb: sizing.storage.memoryMb,
        isPrimary: index === 0,
      })),
    ),
  };
}
