import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { Account } from '../../src/core/agent-protocol.ts';

interface Target {
  readonly hostaddr: string;
  readonly port: number;
}

/** A session over the network; closed when the test ends. */
export async function mysqlSession({ hostaddr, port }: Target, account: Account): Promise<Connection> {
  const session = await createConnection({
    host: hostaddr,
    port,
    user: account.user,
    password: account.password,
    connectTimeout: 5_000,
    ssl: { rejectUnauthorized: false },
  });
  onTestFinished(() => {
    session.destroy();
  });
  return session;
}

export async function mysqlRow(
  session: Connection,
  sql: string,
  values: readonly (string | number)[] = [],
): Promise<Record<string, unknown>> {
  const [rows] = await session.query<RowDataPacket[]>(sql, [...values]);
  const [row] = rows;
  if (row === undefined) throw new Error(`no row: ${sql}`);
  return row;
}

/** A session over the network; closed when the test ends. */
export async function postgresSession({ hostaddr, port }: Target, account: Account): Promise<Client> {
  const session = new Client({
    host: hostaddr,
    port,
    user: account.user,
    password: account.password,
    database: 'postgres',
    connectionTimeoutMillis: 5_000,
  });
  // An engine that a test kills breaks its sessions; that is no failure of the test.
  session.on('error', () => undefined);
  await session.connect();
  onTestFinished(() => session.end().catch(() => undefined));
  return session;
}
