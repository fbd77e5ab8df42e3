import { haModes, type HaMode, type HostPort, type MemberState } from '../core/model.ts';
import { oneOf } from './columns.ts';
import type { Credential } from './credentials.ts';
import { firstRow, numberOf, textOf, type Sql, type SqlRow } from './sql.ts';
import { memberStates } from './storage-nodes.ts';

export interface MetadataNode extends HostPort {
  readonly id: number;
  readonly memberState: MemberState;
}

const parseNode = (row: SqlRow): MetadataNode => ({
  id: numberOf(row, 'id'),
  hostaddr: textOf(row, 'hostaddr'),
  port: numberOf(row, 'port'),
  memberState: oneOf(row, 'member_state', memberStates),
});

/** The servers of the metadata cluster (cluster_id -1) and its mode. */
export class MetadataNodes {
  /** In the order in which they were added: consoles try them in this order. */
  list(sql: Sql): Promise<readonly MetadataNode[]> {
    return sql.rows('SELECT id, hostaddr, port, member_state FROM meta_db_nodes ORDER BY id', [], parseNode);
  }

  /** Adds a server, or changes the account of one that is known; `monitor` stands in public columns in the clear. */
  async put(sql: Sql, at: HostPort, monitor: Credential): Promise<void> {
    await sql.execute(
      `INSERT INTO meta_db_nodes (hostaddr, port, user_name, passwd) VALUES (?, ?, ?, ?) AS given
       ON DUPLICATE KEY UPDATE user_name = given.user_name, passwd = given.passwd`,
      [at.hostaddr, at.port, monitor.user, monitor.password],
    );
  }

  /** The server that takes writes, when one is recorded. */
  primary(sql: Sql): Promise<MetadataNode | undefined> {
    return firstRow(
      sql,
      "SELECT id, hostaddr, port, member_state FROM meta_db_nodes WHERE member_state = 'source' ORDER BY id LIMIT 1",
      [],
      parseNode,
    );
  }

  /** Exactly the server at this address is `source`; compute nodes learn it when it was another one before. */
  async setPrimary(sql: Sql, at: HostPort): Promise<void> {
    const before = await this.primary(sql);
    if (before?.hostaddr !== at.hostaddr || before.port !== at.port)
      await sql.execute('UPDATE kluster_topology SET generation = generation + 1');
    await sql.execute(
      "UPDATE meta_db_nodes SET member_state = IF(hostaddr = ? AND port = ?, 'source', 'replica')",
      [at.hostaddr, at.port],
    );
  }

  async remove(sql: Sql, at: HostPort): Promise<void> {
    await sql.execute('DELETE FROM meta_db_nodes WHERE hostaddr = ? AND port = ?', [at.hostaddr, at.port]);
  }

  async mode(sql: Sql): Promise<HaMode> {
    const mode = await firstRow(
      sql,
      "SELECT value FROM global_configuration WHERE name = 'meta_ha_mode'",
      [],
      (row) => oneOf(row, 'value', haModes),
    );
    return mode ?? 'no_rep';
  }

  async setMode(sql: Sql, mode: HaMode): Promise<void> {
    await sql.execute(
      `INSERT INTO global_configuration (name, value) VALUES ('meta_ha_mode', ?) AS given
       ON DUPLICATE KEY UPDATE value = given.value`,
      [mode],
    );
  }
}
