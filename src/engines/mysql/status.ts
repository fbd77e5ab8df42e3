import { numberOf, textOf, type SqlSession } from '../sql.ts';

/** A global status counter; 0 when the server does not have it (its plugin is not loaded). */
export async function numericStatus(session: SqlSession, name: string): Promise<number> {
  const [row] = await session.rows(
    'SELECT VARIABLE_VALUE AS value FROM performance_schema.global_status WHERE VARIABLE_NAME = ?',
    [name],
  );
  return row === undefined ? 0 : numberOf(row, 'value');
}

/** A global status that is ON or OFF; false when the server does not have it. */
export async function isStatusOn(session: SqlSession, name: string): Promise<boolean> {
  const [row] = await session.rows(
    'SELECT VARIABLE_VALUE AS value FROM performance_schema.global_status WHERE VARIABLE_NAME = ?',
    [name],
  );
  return row !== undefined && textOf(row, 'value') === 'ON';
}
