import { numberOf, textOf, type SqlSession } from '../sql.ts';

/** Of MySQL itself, and the one in which every shard carries its identity. */
const otherSchemas = ['mysql', 'sys', 'information_schema', 'performance_schema', 'kunlun_sysdb'] as const;

export interface UserTables {
  readonly count: number;
  /** The first of them, `database.table`. */
  readonly names: readonly string[];
}

/** The tables and views that are neither the server's nor the manager's own. */
export async function readUserTables(session: SqlSession, namesWanted: number): Promise<UserTables> {
  const where = `FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN (${otherSchemas.map(() => '?').join(', ')})`;
  const [total] = await session.rows(`SELECT COUNT(*) AS found ${where}`, otherSchemas);
  const rows = await session.rows(
    `SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name ${where} ORDER BY TABLE_SCHEMA, TABLE_NAME LIMIT ${String(namesWanted)}`,
    otherSchemas,
  );
  return {
    count: total === undefined ? 0 : numberOf(total, 'found'),
    names: rows.map((row) => `${textOf(row, 'db')}.${textOf(row, 'name')}`),
  };
}
