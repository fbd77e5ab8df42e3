import { dateOf } from './columns.ts';
import { firstRow, numberOf, textOf, type Sql, type SqlRow } from './sql.ts';

export interface AgentRecord {
  readonly hostaddr: string;
  readonly agentPort: number;
  readonly lastSeen: Date;
}

const parseAgent = (row: SqlRow): AgentRecord => ({
  hostaddr: textOf(row, 'hostaddr'),
  agentPort: numberOf(row, 'agent_port'),
  lastSeen: dateOf(row, 'last_seen'),
});

/** The agents that have reported themselves, one per host address. */
export class Agents {
  /**
   * An agent tells where it listens. Consoles see it as the row of server_nodes without a machine_type, and as
   * nodemgr_port of the host's machines.
   */
  async register(sql: Sql, agent: { readonly hostaddr: string; readonly port: number }): Promise<void> {
    const { hostaddr, port } = agent;
    // This row is also the lock under which the next statements see whether the public row exists.
    await sql.execute(
      `INSERT INTO kluster_agents (hostaddr, agent_port, last_seen) VALUES (?, ?, UTC_TIMESTAMP(6)) AS seen
       ON DUPLICATE KEY UPDATE agent_port = seen.agent_port, last_seen = seen.last_seen`,
      [hostaddr, port],
    );
    await sql.execute('UPDATE server_nodes SET nodemgr_port = ? WHERE hostaddr = ?', [port, hostaddr]);
    await sql.execute(
      `INSERT INTO server_nodes (hostaddr, nodemgr_port)
       SELECT ?, ? FROM DUAL
        WHERE NOT EXISTS (SELECT 1 FROM server_nodes WHERE hostaddr = ? AND machine_type IS NULL)`,
      [hostaddr, port, hostaddr],
    );
  }

  find(sql: Sql, hostaddr: string): Promise<AgentRecord | undefined> {
    return firstRow(sql, 'SELECT * FROM kluster_agents WHERE hostaddr = ?', [hostaddr], parseAgent);
  }

  list(sql: Sql): Promise<readonly AgentRecord[]> {
    return sql.rows('SELECT * FROM kluster_agents ORDER BY hostaddr', [], parseAgent);
  }

  /** Forgets an agent and its public row; the host's machines stay. */
  async remove(sql: Sql, hostaddr: string): Promise<void> {
    await sql.execute('DELETE FROM kluster_agents WHERE hostaddr = ?', [hostaddr]);
    await sql.execute('DELETE FROM server_nodes WHERE hostaddr = ? AND machine_type IS NULL AND id <> 1', [
      hostaddr,
    ]);
  }
}
