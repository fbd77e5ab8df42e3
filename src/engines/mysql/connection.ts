import { connect } from 'node:net';
import type { Connection, QueryResult, RowDataPacket } from 'mysql2/promise';
import { bounded } from '../bounded.ts';
import { deadlineError, sqlError } from '../sql-error.ts';
import {
  defaultConnectTimeoutMs,
  defaultStatementTimeoutMs,
  type Change,
  type SqlAddress,
  type SqlParameter,
  type SqlRow,
  type SqlSession,
  type StatementOptions,
} from '../sql.ts';
import { logIn } from './log-in.ts';

/** An open connection; whoever opened it closes it. */
export interface MysqlLink {
  readonly connection: Connection;
  /** Drops the connection without a word to the server. */
  readonly cut: () => void;
  /** False once either side has closed it. */
  readonly isOpen: () => boolean;
}

function serverName(address: SqlAddress): string {
  return `MySQL ${address.hostaddr}:${String(address.port)}`;
}

function isRows(result: QueryResult): result is RowDataPacket[] {
  return Array.isArray(result);
}

function bindable(parameter: SqlParameter): string | number | boolean | null | Buffer {
  if (parameter instanceof Uint8Array) return Buffer.from(parameter);
  return typeof parameter === 'bigint' ? parameter.toString() : parameter;
}

/** The statements of one user of a link, bounded by that user's signal. */
export class MysqlSession implements SqlSession {
  private readonly address: SqlAddress;
  private readonly signal: AbortSignal;
  private readonly link: MysqlLink;

  constructor(address: SqlAddress, signal: AbortSignal, link: MysqlLink) {
    this.address = address;
    this.signal = signal;
    this.link = link;
  }

  async rows(
    text: string,
    parameters: readonly SqlParameter[] = [],
    options: StatementOptions = {},
  ): Promise<readonly SqlRow[]> {
    const result = await this.run(options, () =>
      this.link.connection.execute<RowDataPacket[]>(text, parameters.map(bindable)),
    );
    return isRows(result) ? result : [];
  }

  async execute(
    text: string,
    parameters: readonly SqlParameter[] = [],
    options: StatementOptions = {},
  ): Promise<Change> {
    const result = await this.run(options, () =>
      this.link.connection.execute(text, parameters.map(bindable)),
    );
    if (!('affectedRows' in result)) return { affectedRows: 0, insertId: 0 };
    return { affectedRows: result.affectedRows, insertId: result.insertId };
  }

  async query(text: string, options: StatementOptions = {}): Promise<readonly SqlRow[]> {
    const result = await this.run(options, () => this.link.connection.query<RowDataPacket[]>(text));
    return isRows(result) ? result : [];
  }

  private async run<Result extends QueryResult>(
    options: StatementOptions,
    statement: () => Promise<[Result, unknown]>,
  ): Promise<Result> {
    const milliseconds = options.timeoutMs ?? this.address.statementTimeoutMs ?? defaultStatementTimeoutMs;
    const server = serverName(this.address);
    const [result] = await bounded(
      {
        signal: this.signal,
        milliseconds,
        interrupt: this.link.cut,
        deadlineError: () => deadlineError(server, 'statement', milliseconds),
      },
      () =>
        statement().catch((error: unknown) => {
          throw sqlError(server, 'statement', error);
        }),
    );
    return result;
  }
}

/**
 * Kept prepared by a connection. The driver's own limit, 16000, makes it set aside room for as many at every login: most of
 * the memory of a look at a node, and a quarter of its processor time.
 */
const maxPreparedStatements = 256;

/** One object for all connections: the driver makes the context of each such object once. */
const tls = { rejectUnauthorized: false };

/**
 * TLS always: caching_sha2_password then needs no RSA key exchange. The certificate is not verified, because each
 * mysqld makes its own self-signed one, which no authority vouches for; it keeps listeners out, not impostors.
 */
export async function openMysql(address: SqlAddress, signal: AbortSignal): Promise<MysqlLink> {
  const { hostaddr, port, connectTimeoutMs = defaultConnectTimeoutMs } = address;
  const server = serverName(address);
  // Our own socket, because the driver's destroy() only half-closes: a hung server would keep it for ever.
  const socket = connect({ host: hostaddr, port, noDelay: true });
  const cut = (): void => {
    socket.destroy();
  };
  const connection = await bounded(
    {
      signal,
      milliseconds: connectTimeoutMs,
      interrupt: cut,
      deadlineError: () => deadlineError(server, 'connect', connectTimeoutMs),
    },
    () =>
      logIn({
        stream: () => socket,
        host: hostaddr,
        port,
        user: address.user,
        password: address.password,
        ...(address.database === undefined ? {} : { database: address.database }),
        ssl: tls,
        maxPreparedStatements,
        connectTimeout: connectTimeoutMs,
        charset: 'utf8mb4',
        timezone: 'Z',
        dateStrings: true,
        jsonStrings: true,
        supportBigNumbers: true,
      }).catch((error: unknown) => {
        cut();
        throw sqlError(server, 'connect', error);
      }),
  );
  // A connection that breaks between statements says so here; the next statement fails with the same cause.
  connection.on('error', cut);
  return { connection, cut, isOpen: () => !socket.destroyed };
}

/** Says goodbye (COM_QUIT) so that the server does not count an aborted client, and waits for nothing. */
export function closeMysql(link: MysqlLink): void {
  link.connection.destroy();
  setImmediate(link.cut);
}

/**
 * Opens one connection, runs the callback, closes the connection. Fails with EngineSqlError, or with the reason of
 * the signal when that is aborted.
 */
export async function withMysql<T>(
  address: SqlAddress,
  signal: AbortSignal,
  run: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const link = await openMysql(address, signal);
  try {
    return await run(new MysqlSession(address, signal, link));
  } finally {
    closeMysql(link);
  }
}

/**
 * Opens one connection per address at the same time, runs the callback when each has opened or failed, closes them. A
 * connection that could not be opened is for the callback to judge.
 */
export async function withMysqlEach<T>(
  addresses: readonly SqlAddress[],
  signal: AbortSignal,
  run: (sessions: readonly PromiseSettledResult<SqlSession>[]) => Promise<T>,
): Promise<T> {
  const links: MysqlLink[] = [];
  const sessions = await Promise.allSettled(
    addresses.map(async (address): Promise<SqlSession> => {
      const link = await openMysql(address, signal);
      links.push(link);
      return new MysqlSession(address, signal, link);
    }),
  );
  try {
    signal.throwIfAborted();
    return await run(sessions);
  } finally {
    for (const link of links) closeMysql(link);
  }
}
