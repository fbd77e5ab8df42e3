import type { ClusterId, ShardId } from '../core/ids.ts';
import type { Shard } from '../core/model.ts';
import { numberOf, textOf, type Sql } from './sql.ts';

/** Where automatic failover is suspended: null stands for all clusters, or for all shards of the cluster. */
export interface NoSwitchScope {
  readonly clusterId: ClusterId | number | null;
  readonly shardId: ShardId | number | null;
}

export interface NoSwitch extends NoSwitchScope {
  readonly expires: Date;
}

/** Suspensions of automatic failover (kluster_noswitch); each ends by itself. */
export class NoSwitches {
  /** Replaces the former suspension of the same scope. */
  async set(sql: Sql, { clusterId, shardId }: NoSwitchScope, seconds: number): Promise<void> {
    await sql.execute('DELETE FROM kluster_noswitch WHERE expires <= UTC_TIMESTAMP(6)');
    await sql.execute(
      `INSERT INTO kluster_noswitch (cluster_id, shard_id, expires)
       VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND) AS new
       ON DUPLICATE KEY UPDATE expires = new.expires`,
      [clusterId ?? 0, shardId ?? 0, seconds],
    );
  }

  /** @returns whether there was one */
  async remove(sql: Sql, { clusterId, shardId }: NoSwitchScope): Promise<boolean> {
    const { affectedRows } = await sql.execute(
      'DELETE FROM kluster_noswitch WHERE cluster_id = ? AND shard_id = ? AND expires > UTC_TIMESTAMP(6)',
      [clusterId ?? 0, shardId ?? 0],
    );
    return affectedRows > 0;
  }

  /** Those that have not expired; of one cluster with those that hold for all, or of all. */
  list(sql: Sql, cluster: number | null): Promise<readonly NoSwitch[]> {
    return sql.rows(
      `SELECT cluster_id, shard_id, UNIX_TIMESTAMP(expires) AS expires FROM kluster_noswitch
        WHERE expires > UTC_TIMESTAMP(6) AND (? IS NULL OR cluster_id IN (0, ?)) ORDER BY cluster_id, shard_id`,
      [cluster, cluster],
      (row) => ({
        clusterId: numberOf(row, 'cluster_id') || null,
        shardId: numberOf(row, 'shard_id') || null,
        expires: new Date(Number(textOf(row, 'expires')) * 1000),
      }),
    );
  }
}

/** Until when the shard may not fail over by itself; null when it may. */
export function suspendedUntil(
  suspensions: readonly NoSwitch[],
  shard: Pick<Shard, 'id' | 'clusterId'>,
): Date | null {
  const times = suspensions
    .filter(({ clusterId }) => clusterId === null || clusterId === shard.clusterId)
    .filter(({ shardId }) => shardId === null || shardId === shard.id)
    .map(({ expires }) => expires.getTime());
  return times.length === 0 ? null : new Date(Math.max(...times));
}
