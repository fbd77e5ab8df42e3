import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts, storageAccounts } from '../accounts.ts';
import { removeInstance, restartRetry, startInstance } from '../instances.ts';
import { serverIdOf, storageSpec } from '../node-specs.ts';
import type { ShardOrder } from '../orders.ts';
import type { StoragePlace } from '../places.ts';

/** A copy of the template, the engine's start, and the accounts: seconds; on a loaded machine many. */
const deadlineMs = 180_000;

/** `node`: from 1. */
export function startStorageNode(order: ShardOrder, place: StoragePlace, node: number): Step<Services> {
  const { name, sizing } = order;
  return {
    kind: 'step',
    key: `node_${String(node)}`,
    title: `start node ${String(node)} of ${name} on ${place.hostaddr}`,
    weight: 4,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      const { services, signal } = context;
      const cluster = order.clusterOf(context);
      const accounts = storageAccounts(await readClusterAccounts(services, cluster, signal));
      const instanceId = order.instanceOf(cluster, node);
      const view = await startInstance(
        services,
        {
          instanceId,
          hostaddr: place.hostaddr,
          agentPort: place.agentPort,
          machineType: 'storage',
          spec: (port) =>
            storageSpec(
              services,
              {
                place,
                sizing,
                serverId: serverIdOf(context.jobId, node),
                groupName: order.haMode === 'mgr' ? order.groupName : undefined,
                labels: { cluster: order.clusterName, shard: name, role: 'storage' },
                accounts,
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
      const instanceId = order.instanceOf(order.clusterOf(context), node);
      const reason = `job ${String(context.jobId)} was undone`;
      await removeInstance(context.services, { instanceId, hostaddr, agentPort, reason }, context.signal);
    },
  };
}
