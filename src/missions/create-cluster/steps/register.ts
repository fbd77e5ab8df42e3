import { metadataPurpose, newMetadataAccount } from '../../../catalog/compute-access.ts';
import { clusterScope } from '../../../catalog/credentials.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { newClusterAccounts } from '../../topology/accounts.ts';
import type { ClusterOrder } from '../context.ts';

/** The row of the cluster, its log tables, and the passwords of everything that will be made for it. */
export function register(order: ClusterOrder): Step<Services> {
  const { clusterName } = order.prepared;
  return {
    kind: 'step',
    key: 'register',
    title: `register ${clusterName} in the catalog`,
    deadlineMs: 60_000,
    async run({ services, signal }) {
      const { catalog } = services;
      const id = await catalog.clusters.insert(
        {
          name: clusterName,
          nickName: order.paras.nick_name ?? clusterName,
          haMode: order.paras.ha_mode,
        },
        signal,
      );
      const application = { user: order.computerUser, password: order.paras.computer_password };
      const scope = clusterScope(id);
      await catalog.credentials.putMissing(
        scope,
        { ...newClusterAccounts(application), [metadataPurpose]: newMetadataAccount(id) },
        signal,
      );
      const metadata = (await catalog.credentials.read(scope, signal)).get(metadataPurpose);
      if (metadata !== undefined) await catalog.computeAccess.allow(clusterName, metadata, signal);
      return { clusterId: id };
    },
    async undo({ services, signal }) {
      await services.catalog.clusters.removeByName(clusterName, signal);
    },
  };
}
