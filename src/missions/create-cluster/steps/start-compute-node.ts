import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts } from '../../topology/accounts.ts';
import { removeInstance, restartRetry, startInstance } from '../../topology/instances.ts';
import { computeSpec } from '../../topology/node-specs.ts';
import { computeInstance, registeredId, type ClusterOrder } from '../context.ts';
import type { ComputePlace } from '../prepared.ts';

const deadlineMs = 120_000;

export function startComputeNode(order: ClusterOrder, place: ComputePlace, index: number): Step<Services> {
  return {
    kind: 'step',
    key: `comp_${String(index)}`,
    title: `start compute node ${String(index)} on ${place.hostaddr}`,
    weight: 2,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      const { services, signal } = context;
      const cluster = registeredId(context);
      const { compute_superuser: superuser } = await readClusterAccounts(services, cluster, signal);
      const instanceId = computeInstance(cluster, index);
      const view = await startInstance(
        services,
        {
          instanceId,
          hostaddr: place.hostaddr,
          agentPort: place.agentPort,
          machineType: 'computer',
          spec: (port) =>
            computeSpec(
              services,
              {
                place,
                sizing: order.sizing,
                labels: { cluster: order.prepared.clusterName, role: 'compute' },
                superuser,
              },
              port,
            ),
        },
        signal,
      );
      for (const warning of view.warnings) await context.note(`${place.hostaddr}: ${warning}`);
      return { instanceId, port: view.port };
    },
    async undo(context) {
      const { hostaddr, agentPort } = place;
      const instanceId = computeInstance(registeredId(context), index);
      const reason = `job ${String(context.jobId)} was undone`;
      await removeInstance(context.services, { instanceId, hostaddr, agentPort, reason }, context.signal);
    },
  };
}
