import type { HostPort, MemberState } from '../core/model.ts';
import { oneOf } from './columns.ts';
import { numberOf, textOf, type Sql, type SqlRow } from './sql.ts';
import { memberStates } from './storage-nodes.ts';

export interface ManagerRecord extends HostPort {
  readonly memberState: MemberState;
}

const parseManager = (row: SqlRow): ManagerRecord => ({
  hostaddr: textOf(row, 'hostaddr'),
  port: numberOf(row, 'port'),
  memberState: oneOf(row, 'member_state', memberStates),
});

/** Managers and the ports of their HTTP services. Clients find the leader as the row whose member_state is source. */
export class Managers {
  list(sql: Sql): Promise<readonly ManagerRecord[]> {
    return sql.rows(
      'SELECT hostaddr, port, member_state FROM cluster_mgr_nodes ORDER BY id',
      [],
      parseManager,
    );
  }

  /** Adds a manager as a follower; one that is known stays as it is. */
  async add(sql: Sql, at: HostPort): Promise<void> {
    await sql.execute(
      `INSERT INTO cluster_mgr_nodes (hostaddr, port) VALUES (?, ?)
       ON DUPLICATE KEY UPDATE hostaddr = cluster_mgr_nodes.hostaddr`,
      [at.hostaddr, at.port],
    );
  }

  /** The manager at this address leads, all others follow. */
  async setLeader(sql: Sql, at: HostPort): Promise<void> {
    await this.add(sql, at);
    await sql.execute(
      "UPDATE cluster_mgr_nodes SET member_state = IF(hostaddr = ? AND port = ?, 'source', 'replica')",
      [at.hostaddr, at.port],
    );
  }

  async remove(sql: Sql, at: HostPort): Promise<void> {
    await sql.execute('DELETE FROM cluster_mgr_nodes WHERE hostaddr = ? AND port = ?', [
      at.hostaddr,
      at.port,
    ]);
  }
}
