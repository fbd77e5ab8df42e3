import type { Violation } from '../../core/errors/kluster-error.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import { instanceName } from '../topology/node-specs.ts';
import type { Context } from '../topology/orders.ts';
import { placeNodes } from '../topology/place-nodes.ts';
import { mostConnections, nodeSizing, storageConnections } from '../topology/sizing.ts';
import { tellableComps } from '../topology/tell-compute-nodes.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import type { AddCompsParas } from './parameters.ts';
import type { AddCompsPrepared } from './prepared.ts';

export function addCompsRules(paras: AddCompsParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_109, withoutMemo: 70_113 },
    check: (whole) => connectionsForComps(whole, paras),
  };
}

function connectionsForComps(
  { settings, comps }: WholeCluster,
  { comps: more }: AddCompsParas,
): readonly Violation[] {
  const clients = settings.max_connections ?? 0;
  const all = comps.length + more;
  if (storageConnections(clients, all) <= mostConnections) return [];
  return [
    {
      field: 'paras.comps',
      value: shownValue(more),
      rule: `must be less: ${String(all)} compute nodes with ${String(clients)} connections each are more than a shard can take`,
      code: 70_110,
    },
  ];
}

/** Decides which compute node goes to which machine. */
export async function prepareAddComps(context: Context, paras: AddCompsParas): Promise<AddCompsPrepared> {
  const { cluster, settings, shards, comps } = await requireWholeCluster(
    context.services,
    addCompsRules(paras),
    context.signal,
  );
  const { compute: demand } = nodeSizing({ ...settings, comps: comps.length + paras.comps });
  const placed = await placeNodes(context, {
    compute: { addresses: paras.computer_iplists, nodes: paras.comps, demand },
    lackingCode: 70_115,
  });
  const fresh = placed.comps.map((place, index) => ({
    // Of the job, so that it is never the name of a node that was deleted and may still be on its machine.
    instanceId: instanceName(cluster.id, `job${String(context.jobId)}-comp${String(index + 1)}`),
    place,
  }));
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    nickName: cluster.nickName,
    settings,
    shards: shards.length,
    comps: fresh,
    others: tellableComps(comps),
    promised: fresh.map(({ instanceId, place }) => ({
      instanceId,
      hostaddr: place.hostaddr,
      machineType: 'computer' as const,
      memoryMb: demand.memoryMb,
      isPrimary: false,
    })),
  };
}
