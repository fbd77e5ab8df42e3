import { Socket } from 'node:net';
import { Client, type QueryResult } from 'pg';
import { bounded } from '../bounded.ts';
import { deadlineError, EngineSqlError, sqlError } from '../sql-error.ts';
import {
  defaultConnectTimeoutMs,
  defaultStatementTimeoutMs,
  type Change,
  type SqlAddress,
  type SqlCell,
  type SqlParameter,
  type SqlRow,
  type SqlSession,
  type StatementOptions,
} from '../sql.ts';

export interface PostgresLink {
  readonly client: Client;
  /** Drops the connection without a word to the server. */
  readonly cut: () => void;
}

function serverName(address: SqlAddress): string {
  return `PostgreSQL ${address.hostaddr}:${String(address.port)}`;
}

/** Type oids from pg_type.dat: those that have an exact JavaScript counterpart; all others stay text. */
const oid = { bool: 16, int8: 20, int2: 21, int4: 23, oid: 26, float4: 700, float8: 701 } as const;

function parserOf(type: number): (text: string) => SqlCell {
  switch (type) {
    case oid.bool:
      return (text) => text === 't';
    case oid.int2:
    case oid.int4:
    case oid.oid:
    case oid.float4:
    case oid.float8:
      return Number;
    case oid.int8:
      return (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text);
    default:
      return (text) => text;
  }
}

function bindable(parameter: SqlParameter): string | number | boolean | null | Buffer {
  if (parameter instanceof Uint8Array) return Buffer.from(parameter);
  return typeof parameter === 'bigint' ? parameter.toString() : parameter;
}

export class PostgresSession implements SqlSession {
  private readonly address: SqlAddress;
  private readonly signal: AbortSignal;
  private readonly link: PostgresLink;

  constructor(address: SqlAddress, signal: AbortSignal, link: PostgresLink) {
    this.address = address;
    this.signal = signal;
    this.link = link;
  }

  async rows(
    text: string,
    parameters: readonly SqlParameter[] = [],
    options: StatementOptions = {},
  ): Promise<readonly SqlRow[]> {
    return (await this.run(options, text, parameters)).rows;
  }

  async execute(
    text: string,
    parameters: readonly SqlParameter[] = [],
    options: StatementOptions = {},
  ): Promise<Change> {
    const result = await this.run(options, text, parameters);
    return { affectedRows: result.rowCount ?? 0, insertId: 0 };
  }

  async query(text: string, options: StatementOptions = {}): Promise<readonly SqlRow[]> {
    return (await this.run(options, text, undefined)).rows;
  }

  private run(
    options: StatementOptions,
    text: string,
    parameters: readonly SqlParameter[] | undefined,
  ): Promise<QueryResult<Record<string, SqlCell>>> {
    const milliseconds = options.timeoutMs ?? this.address.statementTimeoutMs ?? defaultStatementTimeoutMs;
    const server = serverName(this.address);
    const values = parameters === undefined ? {} : { values: parameters.map(bindable) };
    return bounded(
      {
        signal: this.signal,
        milliseconds,
        interrupt: this.link.cut,
        deadlineError: () => deadlineError(server, 'statement', milliseconds),
      },
      () =>
        this.link.client.query<Record<string, SqlCell>>({ text, ...values }).catch((error: unknown) => {
          throw sqlError(server, 'statement', error);
        }),
    );
  }
}

async function connectOnce(address: SqlAddress, signal: AbortSignal, tls: boolean): Promise<PostgresLink> {
  const { hostaddr, port, connectTimeoutMs = defaultConnectTimeoutMs } = address;
  const server = serverName(address);
  const socket = new Socket();
  const cut = (): void => {
    socket.destroy();
  };
  const client = new Client({
    stream: () => socket,
    host: hostaddr,
    port,
    user: address.user,
    password: address.password,
    database: address.database ?? 'postgres',
    application_name: 'kluster',
    ssl: tls ? { rejectUnauthorized: false } : false,
    types: { getTypeParser: parserOf },
  });
  // A connection that breaks between statements says so here; the next statement fails with the same cause.
  client.on('error', cut);
  await bounded(
    {
      signal,
      milliseconds: connectTimeoutMs,
      interrupt: cut,
      deadlineError: () => deadlineError(server, 'connect', connectTimeoutMs),
    },
    () =>
      client.connect().catch((error: unknown) => {
        cut();
        throw sqlError(server, 'connect', error);
      }),
  );
  return { client, cut };
}

/**
 * TLS when the server has a certificate, else without, as libpq's sslmode=prefer does. The certificate is not
 * verified, because each machine makes its own self-signed one; SCRAM keeps the password secret either way.
 */
export async function openPostgres(address: SqlAddress, signal: AbortSignal): Promise<PostgresLink> {
  try {
    return await connectOnce(address, signal, true);
  } catch (error) {
    const withoutTls =
      error instanceof EngineSqlError &&
      error.message.endsWith('The server does not support SSL connections');
    if (!withoutTls) throw error;
    return connectOnce(address, signal, false);
  }
}

/**
 * Opens one connection (database `postgres` when none is named), runs the callback, closes the connection. Fails
 * with EngineSqlError, or with the reason of the signal when that is aborted.
 */
export async function withPostgres<T>(
  address: SqlAddress,
  signal: AbortSignal,
  run: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const link = await openPostgres(address, signal);
  try {
    return await run(new PostgresSession(address, signal, link));
  } finally {
    closePostgres(link);
  }
}

/** Says goodbye and waits for nothing: a hung server would not answer. */
export function closePostgres(link: PostgresLink): void {
  link.client.end().catch(link.cut);
  setImmediate(link.cut);
}
