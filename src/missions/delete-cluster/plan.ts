import { parallel, pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { removalStep } from '../topology/removal.ts';
import type { DeleteClusterPrepared } from './prepared.ts';

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
        prepared.comps.map((place) => removalStep(place, `cluster ${clusterName}`)),
      ),
      ...prepared.shards.map((shard) =>
        parallel(
          shard.name,
          `remove the nodes of ${shard.name}`,
          shard.nodes.map((place) => removalStep(place, `cluster ${clusterName}`)),
        ),
      ),
    ]),
    forget(prepared),
  ]);
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
