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

/** Whether a change of the setting needs a restart. @throws KlusterError variable_write when there is none of this name */
export async function settingNeedsRestart(session: SqlSession, name: string): Promise<boolean> {
  const [row] = await session.rows('SELECT context FROM pg_settings WHERE lower(name) = lower($1)', [name]);
  if (row === undefined) throw new KlusterError('variable_write', 'the server has no setting of this name');
  const context = textOf(row, 'context');
  if (context === 'internal') throw new KlusterError('variable_write', 'the setting is fixed in the server');
  return context === 'postmaster';
}

/** What ALTER SYSTEM has set, or null. */
export async function alteredSetting(session: SqlSession, name: string): Promise<string | null> {
  const [row] = await session.rows(
    `SELECT setting FROM pg_file_settings
      WHERE lower(name) = lower($1) AND sourcefile LIKE '%postgresql.auto.conf' ORDER BY seqno DESC LIMIT 1`,
    [name],
  );
  return row === undefined ? null : textOf(row, 'setting');
}

/** Takes back what `alterSystem` did: `before` is what it had set earlier, or null. */
export async function restoreSetting(
  session: SqlSession,
  name: string,
  before: string | null,
): Promise<void> {
  if (before !== null) {
    await alterSystem(session, name, before);
    return;
  }
  await session.query(`ALTER SYSTEM RESET ${name.toLowerCase().split('.').map(quoteIdentifier).join('.')}`);
  await session.query('SELECT pg_reload_conf()');
}
