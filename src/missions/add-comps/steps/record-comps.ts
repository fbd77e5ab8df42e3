import { clusterId, instanceId } from '../../../core/ids.ts';
import type { ComputeNode } from '../../../core/model.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts } from '../../topology/accounts.ts';
import type { ComputeOrder } from '../../topology/orders.ts';
import { recordComputeNode } from '../../topology/record-compute-node.ts';
import { stepPaths, type AddCompsPrepared } from '../prepared.ts';

/** The compute nodes as rows, being created, each with its partition of the commit log. */
export function recordComps(
  { clusterId: id, clusterName, comps, settings }: AddCompsPrepared,
  orders: readonly ComputeOrder[],
): Step<Services> {
  return {
    kind: 'step',
    key: 'record',
    title: 'record the compute nodes in the catalog',
    deadlineMs: 60_000,
    async run(context) {
      const { services, signal } = context;
      const { database, clusterLogs } = services.catalog;
      const accounts = await readClusterAccounts(services, clusterId(id), signal);
      const nodes = await database.write(async (sql) => {
        const recorded: Pick<ComputeNode, 'id' | 'name'>[] = [];
        for (const order of orders) {
          const node = await recordComputeNode(context, sql, {
            order,
            path: stepPaths.computeNode(order.index),
            accounts,
            maximumConnections: settings.max_connections,
            cpuCores: settings.cpu_cores,
          });
          recorded.push({ id: node.id, name: node.name });
        }
        return recorded;
      }, signal);
      for (const node of nodes) await clusterLogs.addComputeNode(clusterName, node.id, signal);
      return { comps: nodes };
    },
    async undo({ services, signal }) {
      const { database, computeNodes, clusterLogs } = services.catalog;
      for (const comp of comps) {
        const node = await database.read(
          (sql) => computeNodes.findByInstance(sql, instanceId(comp.instanceId)),
          signal,
        );
        if (node === undefined) continue;
        // Nobody has used it: there are no decisions in the partition.
        await clusterLogs.dropComputeNode(clusterName, node.id, signal);
        await database.write((sql) => computeNodes.remove(sql, node.id), signal);
      }
    },
  };
}
