import type { WantedTopology } from '../../catalog/topology.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { ComputeNodeId } from '../../core/ids.ts';
import { colonAddress } from '../../core/model.ts';
import { defineApplicationRole } from '../../engines/postgres/application-role.ts';
import { withPostgres } from '../../engines/postgres/connection.ts';
import { readShardIdentity } from '../../engines/postgres/shards.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { pushTopology } from '../../ha/push-topology.ts';
import type { Services } from '../../jobs/services.ts';
import { readClusterAccounts } from './accounts.ts';

/**
 * A new compute node gets the application's role, learns its cluster, and proves, by a query through each shard, that it
 * reads from it. May be repeated.
 */
export async function connectComputeNode(
  services: Services,
  id: ComputeNodeId,
  signal: AbortSignal,
): Promise<void> {
  const { catalog } = services;
  const { topology, at, superuser } = await catalog.database.read(
    (sql) => catalog.topologies.wanted(sql, id),
    signal,
  );
  const { application } = await readClusterAccounts(services, topology.cluster_id, signal);
  const address = { ...at, ...superuser };
  await withPostgres(address, signal, (session) => defineApplicationRole(session, application));
  await pushTopology(catalog, id, signal);
  await withPostgres(address, signal, (session) => proveShards(session, { topology, at }));
}

async function proveShards(
  session: SqlSession,
  { topology, at }: Pick<WantedTopology, 'topology' | 'at'>,
): Promise<void> {
  for (const { name } of topology.shards) {
    const identity = await readShardIdentity(session, name);
    if (identity?.clusterName === topology.cluster_name && identity.shardName === name) continue;
    const found = identity === null ? 'nothing' : `${identity.clusterName}/${identity.shardName}`;
    throw new KlusterError(
      'computer_install_failed',
      `compute node ${colonAddress(at)} read ${found} from ${name} of ${topology.cluster_name}`,
    );
  }
}
