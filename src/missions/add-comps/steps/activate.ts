import { topologyChanged } from '../../../catalog/topology-changed.ts';
import { clusterId, computeNodeId, instanceId } from '../../../core/ids.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { recordedComps, stepPaths, type AddCompsPrepared } from '../prepared.ts';

/**
 * The compute nodes belong to the cluster; each is active when it has proved that it serves, with the topology that
 * names all of them, in the next steps.
 */
export function activate(prepared: AddCompsPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'activate',
    title: 'make the compute nodes part of the cluster',
    deadlineMs: 60_000,
    async run(context) {
      const { catalog } = context.services;
      const cluster = clusterId(prepared.clusterId);
      const { comps } = context.outputOf(stepPaths.record, recordedComps);
      await catalog.database.write(async (sql) => {
        for (const comp of prepared.comps) await catalog.ports.markUsed(sql, instanceId(comp.instanceId));
        for (const { id } of comps) {
          await catalog.computeNodes.setStatus(sql, computeNodeId(id), 'inactive');
        }
        await topologyChanged(sql, cluster);
        const all = await catalog.computeNodes.list(sql, { clusterId: cluster });
        await catalog.clusters.changeMemo(sql, cluster, { comps: String(all.length) });
      }, context.signal);
      return null;
    },
  };
}
