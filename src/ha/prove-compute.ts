import type { Catalog } from '../catalog/catalog.ts';
import { clusterScope } from '../catalog/credentials.ts';
import type { WantedTopology } from '../catalog/topology.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ComputeNodeId } from '../core/ids.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { withPostgres } from '../engines/postgres/connection.ts';
import { readShardIdentity } from '../engines/postgres/shards.ts';
import type { TopologyShard } from '../engines/postgres/topology.ts';
import { numberOf } from '../engines/sql.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import { pushTopology } from './push-topology.ts';

const timeouts = { connectTimeoutMs: 2000, statementTimeoutMs: 5000 };

interface Failure {
  readonly shard: TopologyShard;
  readonly reason: string;
}

/**
 * A compute node that was inactive becomes active, and in no other way: it knows the newest topology, and reads every shard
 * whose primary the manager can read. May be repeated.
 * @throws EngineSqlError when it does not answer; KlusterError engine_sql naming each shard that it alone cannot read
 */
export async function proveCompute(catalog: Catalog, id: ComputeNodeId, signal: AbortSignal): Promise<void> {
  const { database, topologies } = catalog;
  await pushTopology(catalog, id, signal);
  const wanted = await database.read((sql) => topologies.wanted(sql, id), signal);
  const failures = await Promise.all(wanted.topology.shards.map((shard) => readShard(wanted, shard, signal)));
  const own: string[] = [];
  for (const { shard, reason } of failures.flat()) {
    if (await isHealthy(catalog, { ...wanted.topology, shard }, signal)) own.push(`${shard.name}: ${reason}`);
  }
  if (own.length > 0) {
    throw new KlusterError('engine_sql', `${wanted.topology.comp_name} cannot read ${own.join('; ')}`);
  }
  if (wanted.status !== 'inactive') return;
  await database.write((sql) => topologies.recordServing(sql, id, wanted.topology.generation), signal);
}

/** In a session of its own, so that one shard that does not answer leaves the others to be read. */
async function readShard(
  { topology, at, superuser }: WantedTopology,
  shard: TopologyShard,
  signal: AbortSignal,
): Promise<readonly Failure[]> {
  return withPostgres({ ...at, ...superuser, ...timeouts }, signal, async (session) => {
    try {
      const identity = await readShardIdentity(session, shard.name);
      if (identity?.clusterName === topology.cluster_name && identity.shardName === shard.name) return [];
      const found = identity === null ? 'nothing' : `${identity.clusterName}/${identity.shardName}`;
      return [{ shard, reason: `it finds ${found} there` }];
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof EngineSqlError)) throw error;
      return [{ shard, reason: errorText(error) }];
    }
  });
}

/** Whether the manager reads from the primary what the compute node could not. */
async function isHealthy(
  catalog: Catalog,
  { cluster_id: cluster, cluster_name: clusterName, shard }: WantedShard,
  signal: AbortSignal,
): Promise<boolean> {
  const primary = shard.nodes.find((node) => node.primary);
  const account = (await catalog.credentials.read(clusterScope(cluster), signal)).get('management');
  if (primary === undefined || account === undefined) return false;
  const address = { hostaddr: primary.host, port: primary.port, ...account, ...timeouts };
  try {
    const [row] = await withMysql(address, signal, (session) =>
      session.rows(
        'SELECT COUNT(*) AS found FROM kunlun_sysdb.cluster_info WHERE cluster_name = ? AND shard_name = ?',
        [clusterName, shard.name],
      ),
    );
    return row !== undefined && numberOf(row, 'found') === 1;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineSqlError) return false;
    throw error;
  }
}

type WantedShard = Pick<WantedTopology['topology'], 'cluster_id' | 'cluster_name'> & {
  readonly shard: TopologyShard;
};
