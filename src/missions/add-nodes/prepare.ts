import type { Sql } from '../../catalog/sql.ts';
import type { Violation } from '../../core/errors/kluster-error.ts';
import type { Shard } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { groupName } from '../../engines/mysql/group.ts';
import type { Services } from '../../jobs/services.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import { instanceName } from '../topology/node-specs.ts';
import type { Context } from '../topology/orders.ts';
import { placeMoreNodes } from '../topology/place-more-nodes.ts';
import { onNode, readShard } from '../topology/shard-now.ts';
import { nodeSizing } from '../topology/sizing.ts';
import { tellableComps } from '../topology/tell-compute-nodes.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import type { AddNodesParas } from './parameters.ts';
import type { AddNodesPrepared, GrowingShard } from './prepared.ts';

/** Group replication takes no more (manual, "Group Replication Limitations"). */
const largestGroup = 9;
const largestShard = 256;

export function addNodesRules(services: Services, paras: AddNodesParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_154, withoutMemo: 70_113 },
    check: (whole, sql) => violationsOf(services, sql, whole, paras),
  };
}

const chosenShards = ({ shards }: WholeCluster, { shard_id: id }: AddNodesParas): readonly Shard[] =>
  shards.filter((shard) => id === undefined || shard.id === id);

async function violationsOf(
  { catalog }: Services,
  sql: Sql,
  whole: WholeCluster,
  paras: AddNodesParas,
): Promise<readonly Violation[]> {
  const { cluster } = whole;
  const { cluster_id: id, shard_id: shardId, nodes } = paras;
  if (cluster.haMode === 'no_rep') {
    const rule = 'must be a cluster with replication: shards of a no_rep cluster have one node';
    return [{ field: 'paras.cluster_id', value: shownValue(id), rule, code: 70_514 }];
  }
  const chosen = chosenShards(whole, paras);
  if (chosen.length === 0) {
    const rule = `must be the id of a shard of cluster ${String(id)}`;
    return [{ field: 'paras.shard_id', value: shownValue(shardId), rule, code: 70_161 }];
  }
  const most = cluster.haMode === 'mgr' ? largestGroup : largestShard;
  const existing = await catalog.storageNodes.list(sql, { clusterId: cluster.id });
  return chosen.flatMap((shard): readonly Violation[] => {
    const present = existing.filter((node) => node.shardId === shard.id).length;
    if (present + nodes <= most) return [];
    const rule = `must leave ${shard.name}, which has ${String(present)} nodes, with at most ${String(most)} (${cluster.haMode})`;
    return [{ field: 'paras.nodes', value: shownValue(nodes), rule, code: 70_156 }];
  });
}

/** Decides which node goes to which machine. */
export async function prepareAddNodes(context: Context, paras: AddNodesParas): Promise<AddNodesPrepared> {
  const { services, signal } = context;
  const { catalog } = services;
  const whole = await requireWholeCluster(services, addNodesRules(services, paras), signal);
  const { cluster, settings, comps, shards } = whole;
  const sizing = nodeSizing({ ...settings, comps: comps.length });
  const existing = await catalog.database.read(
    (sql) => catalog.storageNodes.list(sql, { clusterId: cluster.id }),
    signal,
  );
  const chosen = chosenShards(whole, paras);
  const placed = await placeMoreNodes(context, {
    shards: chosen.map(({ id, name }) => ({
      name,
      hosts: existing.filter(({ shardId }) => shardId === id).map(({ hostaddr }) => hostaddr),
    })),
    nodes: paras.nodes,
    addresses: paras.storage_iplists,
    demand: sizing.storage,
  });
  const growing: GrowingShard[] = [];
  for (const [index, shard] of chosen.entries()) {
    growing.push({
      shardId: shard.id,
      name: shard.name,
      groupName: cluster.haMode === 'mgr' ? await groupNameOf(context, shard) : '',
      // Short, because the paths of sockets are. Names never return: a machine that does not answer may still have a node of an earlier job.
      instancePrefix: instanceName(cluster.id, `${shard.name.replace('_', '')}-j${String(context.jobId)}`),
      nodes: [...(placed[index] ?? [])],
    });
  }
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    haMode: cluster.haMode,
    settings,
    everyShard: paras.shard_id === undefined,
    shardCount: shards.length,
    shards: growing,
    comps: tellableComps(comps),
    promised: growing.flatMap(({ instancePrefix, nodes }) =>
      nodes.map(({ hostaddr }, index) => ({
        instanceId: `${instancePrefix}-n${String(index + 1)}`,
        hostaddr,
        machineType: 'storage' as const,
        memoryMb: sizing.storage.memoryMb,
        isPrimary: false,
      })),
    ),
  };
}

async function groupNameOf({ services, signal }: Context, shard: Shard): Promise<string> {
  const now = await readShard(services, shard.id, signal);
  return onNode(now, now.primary, signal, groupName);
}
