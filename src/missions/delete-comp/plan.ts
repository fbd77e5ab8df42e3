import { topologyChanged } from '../../catalog/topology-changed.ts';
import { clusterId, computeNodeId } from '../../core/ids.ts';
import { endBranchesOf } from '../../ha/branches.ts';
import { pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { removalStep } from '../topology/removal.ts';
import { tellComputeNodes } from '../topology/tell-compute-nodes.ts';
import type { DeleteCompPrepared } from './prepared.ts';

/**
 * From the start only forward: the compute node no longer counts → it is removed → what it had prepared on the shards is
 * ended as the commit log says → the catalog forgets it, with its partition of that log → the other compute nodes are told.
 */
export function deleteCompPlan(prepared: DeleteCompPrepared): Group<Services> {
  const what = `${prepared.comp.name} of ${prepared.clusterName}`;
  return serial('delete_comp', `delete ${what}`, [
    pointOfNoReturn,
    withdraw(prepared),
    removalStep(prepared.place, what),
    endBranches(prepared),
    forget(prepared),
    tellComputeNodes(prepared.others),
  ]);
}

function withdraw({ clusterId: cluster, comp }: DeleteCompPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'withdraw',
    title: `mark ${comp.name} as deleted`,
    deadlineMs: 60_000,
    async run({ services, signal }) {
      const { database, computeNodes } = services.catalog;
      await database.write(async (sql) => {
        await computeNodes.setStatus(sql, computeNodeId(comp.id), 'deleted');
        await topologyChanged(sql, clusterId(cluster));
      }, signal);
      return null;
    },
  };
}

/** While the log still has its decisions. */
function endBranches({ clusterId: cluster, comp }: DeleteCompPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'end_transactions',
    title: `end the transactions that ${comp.name} has left prepared`,
    deadlineMs: 60_000,
    async run(context) {
      const { services, signal } = context;
      const left = { clusterId: clusterId(cluster), id: computeNodeId(comp.id) };
      const ended = await endBranchesOf(services.catalog, left, signal);
      if (ended > 0)
        await context.note(
          `${String(ended)} branches of transactions of ${comp.name} were left prepared and are ended`,
        );
      return { ended };
    },
  };
}

function forget({ clusterId: cluster, clusterName, comp }: DeleteCompPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'forget',
    title: `remove ${comp.name} from the catalog`,
    deadlineMs: 60_000,
    async run({ services, signal }) {
      const { database, computeNodes, clusterLogs, clusters } = services.catalog;
      await clusterLogs.dropComputeNode(clusterName, computeNodeId(comp.id), signal);
      await database.write(async (sql) => {
        await computeNodes.remove(sql, computeNodeId(comp.id));
        const left = await computeNodes.list(sql, { clusterId: clusterId(cluster) });
        await clusters.changeMemo(sql, clusterId(cluster), { comps: String(left.length) });
      }, signal);
      return null;
    },
  };
}
