import { escapeIdentifier, escapeLiteral } from 'pg';
import { textOf, type SqlSession } from '../sql.ts';
import { scramVerifier } from './scram.ts';

/**
 * Makes the role that applications use, or sets its password: it may make databases, roles and objects. On this compute
 * node alone: the manager tells each one itself.
 */
export async function defineApplicationRole(
  session: SqlSession,
  role: { readonly user: string; readonly password: string },
): Promise<void> {
  const name = escapeIdentifier(role.user);
  await session.query('SET kluster.local_ddl = on');
  const known = await session.rows('SELECT 1 AS found FROM pg_roles WHERE rolname = $1', [role.user]);
  const verb = known.length > 0 ? 'ALTER' : 'CREATE';
  await session.query(
    `${verb} ROLE ${name} LOGIN CREATEDB CREATEROLE PASSWORD ${escapeLiteral(scramVerifier(role.password))}`,
  );
  await session.query(`GRANT ALL ON DATABASE postgres TO ${name}`);
  await session.query(`GRANT ALL ON SCHEMA public TO ${name}`);
  await session.query('RESET kluster.local_ddl');
}

/** The names of all roles of the server. */
export async function existingRoles(session: SqlSession): Promise<ReadonlySet<string>> {
  const rows = await session.rows('SELECT rolname FROM pg_roles');
  return new Set(rows.map((row) => textOf(row, 'rolname')));
}
