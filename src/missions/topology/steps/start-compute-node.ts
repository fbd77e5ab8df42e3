import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts } from '../accounts.ts';
import { removeInstance, restartRetry, startInstance } from '../instances.ts';
import { computeSpec } from '../node-specs.ts';
import type { ComputeOrder } from '../orders.ts';

const deadlineMs = 120_000;

export function startComputeNode(order: ComputeOrder): Step<Services> {
  const { place, sizing } = order;
  return {
    kind: 'step',
    key: `comp_${String(order.index)}`,
    title: `start compute node ${String(order.index)} on ${place.hostaddr}`,
    weight: 2,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      const { services, signal } = context;
      const cluster = order.clusterOf(context);
      const { compute_superuser: superuser } = await readClusterAccounts(services, cluster, signal);
      const instanceId = order.instanceOf(cluster);
      const labels = { cluster: order.clusterName, role: 'compute' };
      const view = await startInstance(
        services,
        {
          instanceId,
          hostaddr: place.hostaddr,
          agentPort: place.agentPort,
          machineType: 'computer',
          spec: (port) => computeSpec(services, { place, sizing, labels, superuser }, port),
        },
        signal,
      );
      for (const warning of view.warnings) await context.note(`${place.hostaddr}: ${warning}`);
      return { instanceId, port: view.port };
    },
    async undo(context) {
      const { hostaddr, agentPort } = place;
      const instanceId = order.instanceOf(order.clusterOf(context));
      const reason = `job ${String(context.jobId)} was undone`;
      await removeInstance(context.services, { instanceId, hostaddr, agentPort, reason }, context.signal);
    },
  };
}
