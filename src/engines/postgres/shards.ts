import type { HostPort } from '../../core/model.ts';
import { numberOf, textOf, textOrNull, type SqlRow, type SqlSession } from '../sql.ts';

/** Of a session in database `postgres`, as a superuser: what this compute node knows of the shards, and reads from them. */

/** The table that every shard carries about itself; existing tools look for this name. */
const selectIdentity = 'SELECT cluster_name, shard_name FROM kunlun_sysdb.cluster_info';

export interface ShardIdentity {
  readonly clusterName: string;
  readonly shardName: string;
}

/** Where the compute node's sessions go for this shard; null when it does not know the shard, or no primary of it. */
export async function readStorageRoute(session: SqlSession, name: string): Promise<HostPort | null> {
  return (await readStorageRoutes(session)).get(name) ?? null;
}

/** Where the compute node's sessions go, by the name of the shard; null for a shard without a primary. */
export async function readStorageRoutes(session: SqlSession): Promise<ReadonlyMap<string, HostPort | null>> {
  const rows = await session.rows(
    `SELECT shard.name, node.host, node.port FROM kluster.shards() AS shard
       LEFT JOIN kluster.shard_nodes() AS node ON node.shard_id = shard.id AND node.is_primary`,
  );
  return new Map(
    rows.map((row) => {
      const host = textOrNull(row, 'host');
      const route = host === null ? null : { hostaddr: host, port: numberOf(row, 'port') };
      return [textOf(row, 'name'), route];
    }),
  );
}

/** What a server says it is that the compute node has not been told of yet; it logs in there as in its shards. */
export async function readIdentityAhead(session: SqlSession, at: HostPort): Promise<ShardIdentity | null> {
  const [row] = await session.rows(
    `SELECT identity[1] AS cluster_name, identity[2] AS shard_name
       FROM kluster.query_server($1, $2, $3) AS identity`,
    [at.hostaddr, at.port, selectIdentity],
  );
  return row === undefined ? null : identityOf(row);
}

/** Reads through the compute node what the shard says it is: the proof that this compute node serves this shard. */
export async function readShardIdentity(session: SqlSession, name: string): Promise<ShardIdentity | null> {
  // Who asks wants to know how it is now: a shard without a primary is not waited for.
  await session.query("SELECT set_config('kluster.failover_timeout', '0', false)");
  const [row] = await session.rows(
    `SELECT identity[1] AS cluster_name, identity[2] AS shard_name
       FROM kluster.shards() AS shard, kluster.query_on_shard(shard.id, $2) AS identity WHERE shard.name = $1`,
    [name, selectIdentity],
  );
  return row === undefined ? null : identityOf(row);
}

function identityOf(row: SqlRow): ShardIdentity {
  return { clusterName: textOf(row, 'cluster_name'), shardName: textOf(row, 'shard_name') };
}
