import { numberOf, type SqlSession } from '../sql.ts';

export async function isSuperReadOnly(session: SqlSession): Promise<boolean> {
  const [row] = await session.rows('SELECT @@GLOBAL.super_read_only AS value');
  return row !== undefined && numberOf(row, 'value') === 1;
}

/** Opens a server for writes. Never persisted: every start is read-only until the manager decides again. */
export async function makeWritable(session: SqlSession): Promise<void> {
  await session.execute('SET GLOBAL super_read_only = OFF');
  await session.execute('SET GLOBAL read_only = OFF');
}

/** Turns `read_only` on as well. Waits for running transactions, so the caller gives a deadline. */
export async function makeReadOnly(session: SqlSession): Promise<void> {
  await session.execute('SET GLOBAL super_read_only = ON');
}
