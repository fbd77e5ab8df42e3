import { instanceId } from '../../core/ids.ts';
import { colonAddress } from '../../core/model.ts';
import { parallel, pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { removeInstance } from '../topology/instances.ts';
import type { DeleteClusterPrepared, InstancePlace } from './prepared.ts';

const removalDeadlineMs = 120_000;

/**
 * Consoles stop listing the cluster → from here on only forward → compute nodes and storage nodes are removed at once →
 * the catalog forgets them. A machine that does not answer does not hold the job up: its instances are recorded and
 * removed when it returns.
 */
export function deleteClusterPlan(prepared: DeleteClusterPrepared): Group<Services> {
  const { clusterName } = prepared;
  return serial('delete_cluster', `delete cluster ${clusterName}`, [
    pointOfNoReturn,
    parallel('instances', 'remove the nodes', [
      parallel(
        'computers',
        'remove compute nodes',
        prepared.comps.map((place) => removal(place, clusterName)),
      ),
      ...prepared.shards.map((shard) =>
        parallel(
          shard.name,
          `remove the nodes of ${shard.name}`,
          shard.nodes.map((place) => removal(place, clusterName)),
        ),
      ),
    ]),
    forget(prepared),
  ]);
}

function removal(place: InstancePlace, clusterName: string): Step<Services> {
  return {
    kind: 'step',
    key: place.instanceId,
    title: `remove ${place.instanceId} at ${colonAddress(place)}`,
    deadlineMs: removalDeadlineMs,
    weight: 4,
    async run(context) {
      const outcome = await removeInstance(
        context.services,
        {
          instanceId: instanceId(place.instanceId),
          hostaddr: place.hostaddr,
          agentPort: place.agentPort,
          reason: `cluster ${clusterName} was deleted by job ${String(context.jobId)}`,
        },
        context.signal,
      );
      if (outcome === 'pending') {
        await context.note(
          `machine ${place.hostaddr} does not answer: ${place.instanceId} will be removed when it returns`,
        );
      }
      return { outcome };
    },
  };
}

function forget({ clusterName }: DeleteClusterPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'forget',
    title: `remove ${clusterName} from the catalog`,
    deadlineMs: 60_000,
    async run({ services, signal }) {
      await services.catalog.clusters.removeByName(clusterName, signal);
      return null;
    },
  };
}
