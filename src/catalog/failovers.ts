import { underscoreAddress, type HostPort, type Shard } from '../core/model.ts';
import type { ShardId } from '../core/ids.ts';
import { numberOf, type Sql } from './sql.ts';

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
  /** How often the shard was given a new primary without being asked to, within the last `seconds`. */
  async countAutomatic(sql: Sql, shard: ShardId, seconds: number): Promise<number> {
    const [count] = await sql.rows(
      `SELECT COUNT(*) AS count FROM rbr_consfailover
        WHERE shard_id = ? AND step = 'promote' AND timestamp > NOW(6) - INTERVAL ? SECOND
          AND JSON_VALUE(consfailover_msg, '$.sw_type') = 'auto'`,
      [shard, seconds],
      (row) => numberOf(row, 'count'),
    );
    return count ?? 0;
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
