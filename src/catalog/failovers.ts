import { underscoreAddress, type HostPort, type Shard } from '../core/model.ts';
import { shardId, type ShardId } from '../core/ids.ts';
import { givenIds, numberOf, type Sql } from './sql.ts';

export interface FailoverStep {
  readonly shard: Shard;
  /** Default: auto. */
  readonly switchType?: 'auto' | 'manual' | 'degrade';
  /** Groups the steps of one failover. */
  readonly task: string;
  /** `Fail` when it went wrong: consoles colour this word. */
  readonly step: string;
  readonly text: string;
  /** Of a step `Fail`; default: the failover did not end in time. */
  readonly errorCode?: number;
  readonly old: HostPort;
  readonly successor?: HostPort;
}

/** What was done when a shard's primary was lost or moved, or its acknowledgements changed: rbr_consfailover, one row per step. */
export class Failovers {
  /**
   * How often each of these shards was given a new primary without being asked to, within the last `seconds`; a shard that
   * never was is left out.
   */
  async countAutomatic(
    sql: Sql,
    shards: readonly ShardId[],
    seconds: number,
  ): Promise<ReadonlyMap<ShardId, number>> {
    const counts = await sql.rows(
      `SELECT shard.id, COUNT(*) AS count
         FROM shards AS shard
         JOIN rbr_consfailover AS step ON step.cluster_id = shard.db_cluster_id AND step.shard_id = shard.id
        WHERE shard.id IN ${givenIds} AND step.step = 'promote' AND step.timestamp > NOW(6) - INTERVAL ? SECOND
          AND JSON_VALUE(step.consfailover_msg, '$.sw_type') = 'auto'
        GROUP BY shard.id`,
      [JSON.stringify(shards), seconds],
      (row) => [shardId(numberOf(row, 'id')), numberOf(row, 'count')] as const,
    );
    return new Map(counts);
  }

  async add(sql: Sql, failover: FailoverStep): Promise<void> {
    const { shard, task, step, text, old, successor, switchType = 'auto', errorCode = 70_010 } = failover;
    const failed = step === 'Fail';
    await sql.execute(
      `INSERT INTO rbr_consfailover (host, shard_id, cluster_id, taskid, step, new_master_host, description,
         consfailover_msg, err_code, err_msg) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        underscoreAddress(old),
        shard.id,
        shard.clusterId,
        task,
        step,
        successor === undefined ? null : underscoreAddress(successor),
        text,
        JSON.stringify({ sw_type: switchType, text }),
        failed ? errorCode : 0,
        failed ? text : null,
      ],
    );
  }
}
