import type { Account, AccountPurpose } from '../../core/agent-protocol.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { ClusterId } from '../../core/ids.ts';
import { generatePassword } from '../../core/seal.ts';
import { clusterScope, type Credential } from '../../catalog/credentials.ts';
import type { Services } from '../../jobs/services.ts';

/** The accounts that the manager makes on every storage node of a cluster. */
const storagePurposes = [
  'management',
  'replication',
  'compute',
  'monitor',
] as const satisfies AccountPurpose[];

/** The superuser of the compute nodes, and the role that applications use. */
const computePurposes = ['compute_superuser', 'application'] as const;

type ClusterPurpose = (typeof storagePurposes)[number] | (typeof computePurposes)[number];
export type ClusterAccounts = Readonly<Record<ClusterPurpose, Credential>>;

/** New accounts for one cluster, each with a password of its own. `application` is what the client asked for. */
export function newClusterAccounts(application: {
  readonly user: string;
  readonly password: string | undefined;
}): ClusterAccounts {
  const account = (user: string, password = generatePassword()): Credential => ({ user, password });
  return {
    management: account('kluster_management'),
    replication: account('kluster_replication'),
    compute: account('kluster_compute'),
    monitor: account('kluster_monitor'),
    compute_superuser: account('kluster_management'),
    application: account(application.user, application.password),
  };
}

/** The accounts of a cluster as its registration stored them. */
export async function readClusterAccounts(
  services: Services,
  cluster: ClusterId,
  signal: AbortSignal,
): Promise<ClusterAccounts> {
  const stored = await services.catalog.credentials.read(clusterScope(cluster), signal);
  const account = (purpose: ClusterPurpose): Credential => {
    const found = stored.get(purpose);
    if (found !== undefined) return found;
    throw new KlusterError('metadata', `cluster ${String(cluster)} has no ${purpose} account in the catalog`);
  };
  return {
    management: account('management'),
    replication: account('replication'),
    compute: account('compute'),
    monitor: account('monitor'),
    compute_superuser: account('compute_superuser'),
    application: account('application'),
  };
}

/** In the form in which agents create them on a storage node. */
export function storageAccounts(accounts: ClusterAccounts): readonly Account[] {
  return storagePurposes.map((purpose) => ({ purpose, ...accounts[purpose] }));
}
