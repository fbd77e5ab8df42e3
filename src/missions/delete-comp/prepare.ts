import { KlusterError, type Violation } from '../../core/errors/kluster-error.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import type { Context } from '../topology/orders.ts';
import { instancePlaceOf } from '../topology/removal.ts';
import { tellableComps } from '../topology/tell-compute-nodes.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import type { DeleteCompParas } from './parameters.ts';
import type { DeleteCompPrepared } from './prepared.ts';

export function deleteCompRules(paras: DeleteCompParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_132, withoutMemo: 70_113 },
    check: (whole) => compViolations(whole, paras),
  };
}

function compViolations(
  { cluster, comps }: WholeCluster,
  { comp_id: id }: DeleteCompParas,
): readonly Violation[] {
  const violation = (rule: string, code: number): Violation => ({
    field: 'paras.comp_id',
    value: shownValue(id),
    rule,
    code,
  });
  if (!comps.some((comp) => comp.id === id)) {
    const known = comps.map((comp) => `${String(comp.id)} (${comp.name})`).join(', ');
    return [violation(`must be a compute node of cluster ${String(cluster.id)}, which has ${known}`, 70_133)];
  }
  return comps.length > 1 ? [] : [violation('must not be the only compute node of its cluster', 70_157)];
}

export async function prepareDeleteComp(
  { services, signal }: Context,
  paras: DeleteCompParas,
): Promise<DeleteCompPrepared> {
  const { cluster, comps } = await requireWholeCluster(services, deleteCompRules(paras), signal);
  const { catalog } = services;
  const machines = await catalog.database.read((sql) => catalog.machines.list(sql), signal);
  const comp = comps.find(({ id }) => id === paras.comp_id);
  if (comp === undefined) {
    throw new KlusterError(
      'metadata',
      `compute node ${String(paras.comp_id)} is not in the catalog (any more)`,
    );
  }
  return {
    clusterId: cluster.id,
    clusterName: cluster.name,
    comp: { id: comp.id, name: comp.name },
    place: instancePlaceOf(comp, machines),
    others: tellableComps(comps.filter((other) => other !== comp)),
  };
}
