import { KlusterError } from '../core/errors/kluster-error.ts';
import { epoch as epochOf, type Epoch } from '../core/ids.ts';
import { disconnect } from '../engines/mysql/clients.ts';
import { MysqlSession, withMysql, type MysqlLink } from '../engines/mysql/connection.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import {
  defaultConnectTimeoutMs,
  defaultStatementTimeoutMs,
  type SqlAddress,
  type SqlParameter,
  type SqlSession,
} from '../engines/sql.ts';
import { ConnectionPool } from './connection-pool.ts';
import { isLockConflict, MetadataError, metadataError } from './metadata-error.ts';
import { firstRow, numberOf, timestampText, type Sql, type SqlValue } from './sql.ts';

export interface MetadataOptions {
  readonly hostaddr: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Default `kunlun_metadata_db`, the name that existing clients read. */
  readonly database?: string;
  /** Connections open at the same time; default 8. */
  readonly connectionLimit?: number;
  /** Milliseconds for one statement; default 10000. */
  readonly statementTimeoutMs?: number;
}

export const metadataDatabaseName = 'kunlun_metadata_db';

/** Schema changes copy or create many files (one per partition). */
const definitionTimeoutMs = 60_000;
/** A deadlock's victim tries again this often, so that a busy moment is not an error. */
const writeAttempts = 6;
const closeGraceMs = 5000;
const officeAttempts = 5;

/**
 * Every session: UTC, and lock waits that end well before the statement's deadline does. READ COMMITTED is set by
 * `write` for its own transaction: it must see what others committed while it waited for a lock.
 */
const sessionSettings = `SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 5, lock_wait_timeout = 8`;

function bindable(value: SqlValue): SqlParameter {
  return value instanceof Date ? timestampText(value) : value;
}

/** What the engine layer throws, as an error of the metadata database. */
async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof EngineSqlError ? metadataError(error) : error;
  }
}

function transactionSql(session: SqlSession): Sql {
  return {
    rows: async (text, parameters, parse) => {
      const rows = await translated(() => session.rows(text, parameters.map(bindable)));
      return rows.map((row) => parse(row));
    },
    execute: (text, parameters = []) => translated(() => session.execute(text, parameters.map(bindable))),
  };
}

/** For callers that give no signal. */
const never = (): AbortSignal => new AbortController().signal;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/**
 * The metadata database of one manager. Reads see one consistent state; writes are transactions under the manager's
 * epoch, so a manager whose term has ended can change nothing.
 */
export class MetadataDatabase {
  private readonly address: SqlAddress;
  private readonly pool: ConnectionPool;
  private currentEpoch: Epoch | undefined;

  private constructor(address: SqlAddress, connectionLimit: number) {
    this.address = address;
    this.pool = new ConnectionPool({
      address,
      limit: connectionLimit,
      waitMs: address.statementTimeoutMs ?? defaultStatementTimeoutMs,
      prepare: async (link, signal) => {
        await new MysqlSession(address, signal, link).query(sessionSettings);
      },
    });
  }

  /** Connects to nothing yet: the first statement does. */
  static open(options: MetadataOptions): MetadataDatabase {
    const address: SqlAddress = {
      hostaddr: options.hostaddr,
      port: options.port,
      user: options.user,
      password: options.password,
      database: options.database ?? metadataDatabaseName,
      connectTimeoutMs: defaultConnectTimeoutMs,
      statementTimeoutMs: options.statementTimeoutMs ?? defaultStatementTimeoutMs,
    };
    return new MetadataDatabase(address, options.connectionLimit ?? 8);
  }

  /** Of the database. */
  get name(): string {
    return this.address.database ?? metadataDatabaseName;
  }

  /** The term of office that `write` acts under; undefined before `takeOffice`. */
  get epoch(): Epoch | undefined {
    return this.currentEpoch;
  }

  /** Everything that `run` reads is of one moment; it can change nothing. */
  read<T>(run: (sql: Sql) => Promise<T>, signal: AbortSignal = never()): Promise<T> {
    return this.transaction({ begin: ['START TRANSACTION READ ONLY'], signal }, run);
  }

  /**
   * One transaction. Refused with `stale_epoch` when another manager has taken office since, `not_leader` when this
   * one never did. `run` is repeated after a deadlock or a lock time-out, so it may do nothing but use `sql`. When the
   * connection breaks during COMMIT the outcome is unknown, and the error says so.
   */
  async write<T>(run: (sql: Sql) => Promise<T>, signal: AbortSignal = never()): Promise<T> {
    const epoch = this.requireEpoch();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.transaction({ begin: beginWrite, signal }, async (sql) => {
          await requireCurrent(sql, epoch);
          return run(sql);
        });
      } catch (error) {
        if (!isLockConflict(error) || attempt >= writeAttempts) throw error;
        await pause(Math.random() * 20 * 2 ** attempt);
        signal.throwIfAborted();
      }
    }
  }

  /**
   * Statements that MySQL commits by themselves (CREATE, ALTER, DROP), one after another on a connection of their
   * own. The epoch is checked first and cannot change until `run` has ended. They are not undone when a later one
   * fails, so each must bear repetition (IF NOT EXISTS …).
   */
  async define<T>(run: (session: SqlSession) => Promise<T>, signal: AbortSignal = never()): Promise<T> {
    const epoch = this.requireEpoch();
    return this.transaction({ begin: beginWrite, signal }, async (sql) => {
      await requireCurrent(sql, epoch);
      return this.administer(run, signal);
    });
  }

  /**
   * A connection of its own outside of any transaction and of any epoch: only for what happens before there is one
   * (the schema itself). Statements may take a minute.
   */
  administer<T>(run: (session: SqlSession) => Promise<T>, signal: AbortSignal = never()): Promise<T> {
    const address = { ...this.address, statementTimeoutMs: definitionTimeoutMs };
    return translated(() =>
      withMysql(address, signal, async (session) => {
        await session.query(sessionSettings);
        return run(session);
      }),
    );
  }

  /**
   * Begins a new term: from its commit on, writes under any earlier epoch are refused. A transaction of the former
   * leader that still runs is waited for, one second, then its connection is killed: a frozen process would hold
   * the term for ever otherwise.
   */
  async takeOffice(holder: string, signal: AbortSignal = never()): Promise<Epoch> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.currentEpoch = await this.administer((session) => newTerm(session, holder), signal);
        return this.currentEpoch;
      } catch (error) {
        if (!isLockConflict(error) || attempt >= officeAttempts) throw error;
        await this.administer(killLeadershipHolders, signal);
      }
    }
  }

  /** Lets transactions that run end (at most five seconds), then closes every connection. */
  close(): Promise<void> {
    return this.pool.close(closeGraceMs);
  }

  private requireEpoch(): Epoch {
    if (this.currentEpoch === undefined) {
      throw new KlusterError(
        'not_leader',
        'a change of the metadata was refused: this manager has not taken office',
      );
    }
    return this.currentEpoch;
  }

  private async transaction<T>(
    options: { readonly begin: readonly string[]; readonly signal: AbortSignal },
    run: (sql: Sql) => Promise<T>,
  ): Promise<T> {
    return translated(async () => {
      const { link, session } = await this.begun(options.begin, options.signal);
      let result: T;
      try {
        result = await run(transactionSql(session));
      } catch (error) {
        await this.rollBack(link);
        throw error;
      }
      await this.commit(link);
      return result;
    });
  }

  private async begun(
    statements: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly link: MysqlLink; readonly session: SqlSession }> {
    for (;;) {
      const { link, reused } = await this.pool.acquire(signal);
      const session = new MysqlSession(this.address, signal, link);
      try {
        for (const statement of statements) await session.query(statement);
        return { link, session };
      } catch (error) {
        this.pool.discard(link);
        // The server closed an idle connection; nothing was done yet, so another one serves as well.
        if (!(reused && error instanceof EngineSqlError && error.connectionLost)) throw error;
      }
    }
  }

  private async commit(link: MysqlLink): Promise<void> {
    try {
      // Not under the caller's signal: cutting a COMMIT short would leave its outcome unknown.
      await new MysqlSession(this.address, never(), link).query('COMMIT');
    } catch (error) {
      this.pool.discard(link);
      if (!(error instanceof EngineSqlError) || !error.connectionLost) throw error;
      throw new MetadataError(`metadata database: the outcome of COMMIT is unknown: ${error.message}`, {
        connectionLost: true,
      });
    }
    this.pool.release(link);
  }

  private async rollBack(link: MysqlLink): Promise<void> {
    try {
      // Not under the caller's signal: that may be what ended the transaction.
      if (link.isOpen()) await new MysqlSession(this.address, never(), link).query('ROLLBACK');
    } catch (error) {
      this.pool.discard(link);
      // Dropping the connection rolls back too; the error that brought us here is the one to report.
      if (error instanceof EngineSqlError) return;
      throw error;
    }
    this.pool.release(link);
  }
}

const beginWrite = ['SET TRANSACTION ISOLATION LEVEL READ COMMITTED', 'START TRANSACTION'] as const;

/** FOR SHARE: a new term cannot begin before this transaction has ended. */
async function requireCurrent(sql: Sql, epoch: Epoch): Promise<void> {
  const current = await firstRow(
    sql,
    'SELECT epoch, holder FROM kluster_leadership WHERE id = 1 FOR SHARE',
    [],
    (row) => ({ epoch: numberOf(row, 'epoch'), holder: String(row['holder']) }),
  );
  if (current?.epoch === epoch) return;
  const now = current === undefined ? 'nobody' : `${current.holder} with epoch ${String(current.epoch)}`;
  throw new KlusterError(
    'stale_epoch',
    `a change of the metadata under epoch ${String(epoch)} was refused: ${now} leads`,
  );
}

/** One transaction on a connection of its own, which waits one second for the transactions of the former term. */
async function newTerm(session: SqlSession, holder: string): Promise<Epoch> {
  await session.query('SET SESSION innodb_lock_wait_timeout = 1');
  for (const statement of beginWrite) await session.query(statement);
  const [last] = await session.rows('SELECT epoch FROM kluster_leadership WHERE id = 1 FOR UPDATE');
  const next = epochOf((last === undefined ? 0 : numberOf(last, 'epoch')) + 1);
  await session.execute(
    `INSERT INTO kluster_leadership (id, epoch, holder, since) VALUES (1, ?, ?, UTC_TIMESTAMP(6)) AS term
     ON DUPLICATE KEY UPDATE epoch = term.epoch, holder = term.holder, since = term.since`,
    [next, holder],
  );
  await session.query('COMMIT');
  return next;
}

async function killLeadershipHolders(session: SqlSession): Promise<void> {
  const holders = await session.rows(
    `SELECT DISTINCT threads.PROCESSLIST_ID AS id
       FROM performance_schema.data_locks AS locks
       JOIN performance_schema.threads AS threads ON threads.THREAD_ID = locks.THREAD_ID
      WHERE locks.OBJECT_SCHEMA = DATABASE() AND locks.OBJECT_NAME = 'kluster_leadership'
        AND locks.LOCK_STATUS = 'GRANTED' AND threads.PROCESSLIST_ID <> CONNECTION_ID()`,
  );
  for (const holder of holders) await disconnect(session, numberOf(holder, 'id'));
}
