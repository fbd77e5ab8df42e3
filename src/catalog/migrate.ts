import { KlusterError } from '../core/errors/kluster-error.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { quoteIdentifier } from '../engines/mysql/quote.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import { numberOf, textOf, type SqlAddress, type SqlRow, type SqlSession } from '../engines/sql.ts';
import { metadataDatabaseName, type MetadataDatabase, type MetadataOptions } from './database.ts';
import { checksumOf, defaultMigrationsDirectory, readMigrations, type Migration } from './migration-files.ts';
import { metadataError } from './metadata-error.ts';

interface Applied {
  readonly number: number;
  readonly name: string;
  /** Statements of the file that have been executed, from the first. */
  readonly done: number;
  /** Of these statements. */
  readonly checksum: string;
  readonly finished: boolean;
}

/** Others migrate for as long; then this one finds nothing left to do. */
const lockWaitSeconds = 50;

const progressTable = `CREATE TABLE IF NOT EXISTS kluster_migrations (
  number int unsigned NOT NULL PRIMARY KEY,
  name varchar(255) NOT NULL,
  checksum char(64) CHARACTER SET ascii NOT NULL,
  done int unsigned NOT NULL DEFAULT 0,
  started_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  finished_at timestamp(6) NULL
)`;

/**
 * What a definition answers when it was executed before (manual, "Server Error Message Reference"): database, table,
 * column, key, nothing to drop, procedure and constraint exist already.
 */
const alreadyDone: ReadonlySet<number> = new Set([1007, 1050, 1060, 1061, 1091, 1304, 1826, 3822]);

/** Makes the metadata database if the server has none; text in it compares exactly. */
export async function createMetadataDatabase(
  options: MetadataOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { hostaddr, port, user, password, database = metadataDatabaseName } = options;
  const address: SqlAddress = { hostaddr, port, user, password };
  try {
    await withMysql(address, signal, (session) =>
      session.query(
        `CREATE DATABASE IF NOT EXISTS ${quoteIdentifier(database)}
           CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_cs`,
      ),
    );
  } catch (error) {
    throw error instanceof EngineSqlError ? metadataError(error) : error;
  }
}

/**
 * Brings the schema up to date; returns the names of the files that this call finished. Several processes may call it
 * at once: one works, the others wait. Definitions are not transactional in MySQL, so progress is kept statement by
 * statement and a later call continues after the last one done.
 *
 * @throws KlusterError metadata: an executed statement was changed in its file, or a statement failed.
 */
export function migrate(
  database: MetadataDatabase,
  options: { readonly directory?: string; readonly signal?: AbortSignal } = {},
): Promise<readonly string[]> {
  return database.administer(async (session) => {
    const migrations = await readMigrations(options.directory ?? defaultMigrationsDirectory());
    await takeLock(session);
    // The lock ends with the session.
    await session.query(progressTable);
    const rows = await session.rows(
      'SELECT number, name, checksum, done, finished_at FROM kluster_migrations',
    );
    const applied = new Map(rows.map(parseApplied).map((row) => [row.number, row]));
    for (const migration of migrations) requireUnchanged(migration, applied.get(migration.number));
    const finished: string[] = [];
    for (const migration of migrations) {
      const before = applied.get(migration.number);
      if (before?.finished === true) continue;
      await apply(session, migration, before?.done);
      finished.push(migration.name);
    }
    return finished;
  }, options.signal);
}

function parseApplied(row: SqlRow): Applied {
  return {
    number: numberOf(row, 'number'),
    name: textOf(row, 'name'),
    checksum: textOf(row, 'checksum'),
    done: numberOf(row, 'done'),
    finished: row['finished_at'] !== null,
  };
}

/** User locks are per server, hence the database's name in it; at most 64 characters (manual, GET_LOCK). */
async function takeLock(session: SqlSession): Promise<void> {
  const [row] = await session.rows(
    `SELECT GET_LOCK(CONCAT('kluster_migrate/', LEFT(SHA2(DATABASE(), 256), 40)), ?) AS taken`,
    [lockWaitSeconds],
  );
  if (row?.['taken'] === 1) return;
  throw new KlusterError(
    'metadata',
    `the metadata schema could not be updated: another process has been doing it for ${String(lockWaitSeconds)} seconds`,
  );
}

/** A file that failed half-way may be mended in the part that was not executed yet. */
function requireUnchanged(migration: Migration, applied: Applied | undefined): void {
  if (applied === undefined) return;
  const { statements } = migration;
  const executed = applied.finished ? statements : statements.slice(0, applied.done);
  const checksum = checksumOf(executed);
  if (applied.checksum === checksum) return;
  throw new KlusterError(
    'metadata',
    `migration ${migration.name} was changed after it had been applied (as ${applied.name}, checksum ` +
      `${applied.checksum.slice(0, 12)}, now ${checksum.slice(0, 12)}): restore the file, put the change into a new one`,
  );
}

/** `done`: statements executed by an earlier call that did not finish; undefined when there was none. */
async function apply(session: SqlSession, migration: Migration, done: number | undefined): Promise<void> {
  const { number, name, statements } = migration;
  if (done === undefined) {
    await session.execute('INSERT INTO kluster_migrations (number, name, checksum) VALUES (?, ?, ?)', [
      number,
      name,
      checksumOf([]),
    ]);
  }
  for (const [place, statement] of statements.entries()) {
    if (place < (done ?? 0)) continue;
    // A crash may have come between this statement and the note that it is done.
    await applyStatement(session, { migration, place, statement, mayBeDone: place === done });
    await session.execute('UPDATE kluster_migrations SET done = ?, checksum = ? WHERE number = ?', [
      place + 1,
      checksumOf(statements.slice(0, place + 1)),
      number,
    ]);
  }
  await session.execute('UPDATE kluster_migrations SET finished_at = UTC_TIMESTAMP(6) WHERE number = ?', [
    number,
  ]);
}

async function applyStatement(
  session: SqlSession,
  work: {
    readonly migration: Migration;
    readonly place: number;
    readonly statement: string;
    readonly mayBeDone: boolean;
  },
): Promise<void> {
  try {
    await session.query(work.statement);
  } catch (error) {
    if (!(error instanceof EngineSqlError)) throw error;
    if (work.mayBeDone && error.errno !== undefined && alreadyDone.has(error.errno)) return;
    const { name } = work.migration;
    throw new KlusterError(
      'metadata',
      `migration ${name}, statement ${String(work.place + 1)} of ${String(work.migration.statements.length)}: ${error.message}`,
    );
  }
}
