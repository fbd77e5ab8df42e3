import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts, storageAccounts } from '../../topology/accounts.ts';
import { removeInstance, restartRetry, startInstance } from '../../topology/instances.ts';
import { serverIdOf, storageSpec } from '../../topology/node-specs.ts';
import { registeredId, storageInstance, type ClusterOrder } from '../context.ts';
import type { StoragePlace } from '../prepared.ts';

/** A copy of the template, the engine's start, and the accounts: seconds; on a loaded machine many. */
const deadlineMs = 180_000;

export function startStorageNode(
  order: ClusterOrder,
  place: StoragePlace,
  position: { readonly shard: number; readonly node: number },
): Step<Services> {
  const { shard, node } = position;
  const name = order.prepared.shards[shard - 1]?.name ?? '';
  return {
    kind: 'step',
    key: `node_${String(node)}`,
    title: `start node ${String(node)} of ${name} on ${place.hostaddr}`,
    weight: 4,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      const { services, signal } = context;
      const cluster = registeredId(context);
      const accounts = storageAccounts(await readClusterAccounts(services, cluster, signal));
      const instanceId = storageInstance(cluster, shard, node);
      const groupName =
        order.paras.ha_mode === 'mgr' ? order.prepared.shards[shard - 1]?.groupName : undefined;
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
                sizing: order.sizing,
                serverId: serverIdOf(context.jobId, node),
                groupName,
                labels: { cluster: order.prepared.clusterName, shard: name, role: 'storage' },
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
      const instanceId = storageInstance(registeredId(context), shard, node);
      const reason = `job ${String(context.jobId)} was undone`;
      await removeInstance(context.services, { instanceId, hostaddr, agentPort, reason }, context.signal);
    },
  };
}
