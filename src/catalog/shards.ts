import { KlusterError } from '../core/errors/kluster-error.ts';
import { clusterId, shardId, type ClusterId, type ShardId } from '../core/ids.ts';
import type { DegradeSetting, Shard } from '../core/model.ts';
import { oneOf } from './columns.ts';
import { firstRow, givenIds, numberOf, textOf, type Sql, type SqlChange, type SqlRow } from './sql.ts';

export interface NewShard {
  readonly clusterId: ClusterId;
  /** `shard_<n>`. */
  readonly name: string;
  readonly fullsyncLevel: number;
}

const switches = ['ON', 'OFF'] as const;

const parseShard = (row: SqlRow): Shard => ({
  id: shardId(numberOf(row, 'id')),
  clusterId: clusterId(numberOf(row, 'db_cluster_id')),
  name: textOf(row, 'name'),
  fullsyncLevel: numberOf(row, 'sync_num'),
  acknowledgements: numberOf(row, 'acknowledgements'),
  degrade: parseDegradeSetting(row),
});

const parseDegradeSetting = (row: SqlRow): DegradeSetting => ({
  enabled: oneOf(row, 'degrade_conf_state', switches) === 'ON',
  afterSeconds: numberOf(row, 'degrade_conf_time'),
});

const selectShards = `
  SELECT shards.id, db_cluster_id, name, sync_num, degrade_conf_state, degrade_conf_time,
         LEAST(sync_num, COALESCE(degraded.acknowledgements, sync_num)) AS acknowledgements
    FROM shards LEFT JOIN kluster_degraded_shards AS degraded ON degraded.shard_id = shards.id`;

/** Replication groups of a cluster. */
export class Shards {
  /** A repeated call with the same cluster and name gives the same id. */
  async insert(sql: Sql, shard: NewShard): Promise<ShardId> {
    const { insertId } = await sql.execute(
      `INSERT INTO shards (db_cluster_id, name, sync_num, num_nodes) VALUES (?, ?, ?, 0)
       ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)`,
      [shard.clusterId, shard.name, shard.fullsyncLevel],
    );
    return shardId(insertId);
  }

  find(sql: Sql, id: ShardId): Promise<Shard | undefined> {
    return firstRow(sql, `${selectShards} WHERE shards.id = ?`, [id], parseShard);
  }

  /** Of one cluster, or of all. */
  list(sql: Sql, cluster?: ClusterId): Promise<readonly Shard[]> {
    return sql.rows(
      `${selectShards} WHERE ? IS NULL OR db_cluster_id = ? ORDER BY shards.id`,
      [cluster ?? null, cluster ?? null],
      parseShard,
    );
  }

  listByIds(sql: Sql, ids: readonly ShardId[]): Promise<readonly Shard[]> {
    return sql.rows(`${selectShards} WHERE shards.id IN ${givenIds}`, [JSON.stringify(ids)], parseShard);
  }

  /** The highest n of the names `shard_<n>` of a cluster; 0 when it has none. New shards continue after it. */
  async highestNumber(sql: Sql, cluster: ClusterId): Promise<number> {
    const shards = await this.list(sql, cluster);
    return Math.max(0, ...shards.map((shard) => Number(/^shard_(\d+)$/.exec(shard.name)?.[1] ?? 0)));
  }

  async setFullsyncLevel(sql: Sql, id: ShardId, level: number): Promise<void> {
    requireFound(await sql.execute('UPDATE shards SET sync_num = ? WHERE id = ?', [level, id]), id);
  }

  async setDegradeSetting(sql: Sql, id: ShardId, setting: DegradeSetting): Promise<void> {
    const { enabled, afterSeconds } = setting;
    const change = await sql.execute(
      'UPDATE shards SET degrade_conf_state = ?, degrade_conf_time = ? WHERE id = ?',
      [enabled ? 'ON' : 'OFF', afterSeconds, id],
    );
    requireFound(change, id);
  }

  /** From now on commits may have fewer acknowledgements than the shard's fullsync level; at or above it: no longer. */
  async setAcknowledgements(sql: Sql, { id, fullsyncLevel }: Shard, acknowledgements: number): Promise<void> {
    const degraded = acknowledgements < fullsyncLevel;
    requireFound(
      await sql.execute('UPDATE shards SET degrade_run_state = ? WHERE id = ?', [
        degraded ? 'ON' : 'OFF',
        id,
      ]),
      id,
    );
    if (degraded) {
      await sql.execute(
        `INSERT INTO kluster_degraded_shards (shard_id, acknowledgements) VALUES (?, ?) AS new
         ON DUPLICATE KEY UPDATE acknowledgements = new.acknowledgements`,
        [id, acknowledgements],
      );
    } else {
      await sql.execute('DELETE FROM kluster_degraded_shards WHERE shard_id = ?', [id]);
    }
  }

  /** Its nodes must have been removed. Nothing happens when there is no such shard (any more). */
  async remove(sql: Sql, id: ShardId): Promise<void> {
    await sql.execute('DELETE FROM shards WHERE id = ?', [id]);
  }
}

function requireFound({ affectedRows }: SqlChange, id: ShardId): void {
  if (affectedRows === 0) throw new KlusterError('metadata', `shard ${String(id)} is not in the catalog`);
}
