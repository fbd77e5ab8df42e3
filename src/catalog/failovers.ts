import { underscoreAddress, type HostPort, type Shard } from '../core/model.ts';
import type { Sql } from './sql.ts';

export interface FailoverStep {
  readonly shard: Shard;
  /** Groups the steps of one failover. */
  readonly task: string;
  /** `Fail` when it went wrong: consoles colour this word. */
  readonly step: string;
  readonly text: string;
  readonly old: HostPort;
  readonly successor?: HostPort;
}

/** What was done when a shard lost its primary: rbr_consfailover, one row per step. */
export class Failovers {
  async add(sql: Sql, { shard, task, step, text, old, successor }: FailoverStep): Promise<void> {
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
        JSON.stringify({ sw_type: 'auto', text }),
        failed ? 70_010 : 0,
        failed ? text : null,
      ],
    );
  }
}
