import { instanceId, type InstanceId } from '../core/ids.ts';
import { dateOf } from './columns.ts';
import { numberOf, textOf, type Sql, type SqlRow } from './sql.ts';

export interface NewPendingRemoval {
  readonly instanceId: InstanceId;
  readonly hostaddr: string;
  readonly agentPort: number;
  readonly reason: string;
}

export interface PendingRemoval extends NewPendingRemoval {
  readonly since: Date;
}

const longestReason = 1024;

const parseRemoval = (row: SqlRow): PendingRemoval => ({
  instanceId: instanceId(textOf(row, 'instance_id')),
  hostaddr: textOf(row, 'hostaddr'),
  agentPort: numberOf(row, 'agent_port'),
  reason: textOf(row, 'reason'),
  since: dateOf(row, 'since'),
});

/** Instances that are to be removed as soon as their machine answers again; their ports stay reserved until then. */
export class PendingRemovals {
  /** The first reason given for an instance stays. */
  async add(sql: Sql, removal: NewPendingRemoval): Promise<void> {
    const { hostaddr, instanceId: instance, agentPort, reason } = removal;
    await sql.execute(
      `INSERT INTO kluster_pending_removals (hostaddr, instance_id, agent_port, reason) VALUES (?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE hostaddr = kluster_pending_removals.hostaddr`,
      [hostaddr, instance, agentPort, reason.slice(0, longestReason)],
    );
  }

  /** Of one host, or of all, oldest first. */
  list(sql: Sql, hostaddr?: string): Promise<readonly PendingRemoval[]> {
    return sql.rows(
      `SELECT * FROM kluster_pending_removals WHERE ? IS NULL OR hostaddr = ? ORDER BY since, instance_id`,
      [hostaddr ?? null, hostaddr ?? null],
      parseRemoval,
    );
  }

  async remove(sql: Sql, removal: Pick<PendingRemoval, 'hostaddr' | 'instanceId'>): Promise<void> {
    await sql.execute('DELETE FROM kluster_pending_removals WHERE hostaddr = ? AND instance_id = ?', [
      removal.hostaddr,
      removal.instanceId,
    ]);
  }
}
