import type { SqlSession } from '../sql.ts';

/** Runs the statements of the callback as one transaction; PostgreSQL's data definitions take part in it. */
export async function inTransaction<T>(session: SqlSession, run: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    const result = await run();
    await session.query('COMMIT');
    return result;
  } catch (error) {
    // The connection is closed after a failure, which rolls back too; this only frees the locks sooner.
    await session.query('ROLLBACK').catch(() => []);
    throw error;
  }
}
