import { KlusterError } from '../../core/errors/kluster-error.ts';
import { textOf, type SqlSession } from '../sql.ts';
import { quoteIdentifier, quoteText } from './quote.ts';

/**
 * Sets a setting of the server now, where that is possible without a restart, and for later starts. Throws
 * `variable_write` when there is none of this name, and EngineSqlError with the server's reason when it refuses.
 */
export async function alterSystem(session: SqlSession, name: string, value: string): Promise<void> {
  const [row] = await session.rows('SELECT name FROM pg_settings WHERE lower(name) = lower($1)', [name]);
  if (row === undefined) throw new KlusterError('variable_write', 'the server has no setting of this name');
  const setting = textOf(row, 'name').split('.').map(quoteIdentifier).join('.');
  // ALTER SYSTEM takes no parameters and no transaction (manual, "ALTER SYSTEM").
  await session.query(`ALTER SYSTEM SET ${setting} = ${quoteText(value)}`);
  await session.query('SELECT pg_reload_conf()');
}
