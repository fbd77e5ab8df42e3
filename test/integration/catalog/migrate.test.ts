import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { createMetadataDatabase, migrate } from '../../../src/catalog/migrate.ts';
import { checksumOf } from '../../../src/catalog/migration-files.ts';
import { textOf } from '../../../src/catalog/sql.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

let server: MetadataServer;
let database: MetadataDatabase;

beforeAll(async () => {
  server = await startMetadataServer();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  database = await server.emptyDatabase();
});

/** A directory with these files, for one test. */
async function files(contents: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(contents)) await writeFile(join(directory, name), text);
  return directory;
}

function tables(): Promise<readonly string[]> {
  return database.administer(async (session) => {
    const rows = await session.rows(
      'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1',
    );
    return rows.map((row) => textOf(row, 'name')).filter((name) => name !== 'kluster_migrations');
  });
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error('did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof KlusterError)) throw error;
  return `${error.kind}: ${error.message}`;
}

const twoTables = {
  '0001_first.sql': 'CREATE TABLE a (id int PRIMARY KEY)\n-- next\nCREATE TABLE b (id int PRIMARY KEY)\n',
};

describe('migrate', () => {
  it('brings an empty database up to date; a second call changes nothing', async () => {
    const finished = await migrate(database);
    expect(finished.slice(0, 2)).toEqual(['0001_public_schema.sql', '0002_private_tables.sql']);
    const before = await tables();
    expect(before).toContain('db_clusters');
    expect(await migrate(database)).toEqual([]);
    expect(await tables()).toEqual(before);
  });

  it('may be called by several managers at once: each file is applied by exactly one', async () => {
    const others = [server.another(), server.another(), server.another()];
    const results = await Promise.all([database, ...others].map((manager) => migrate(manager)));
    const finished = results.flat();
    expect(finished).toContain('0001_public_schema.sql');
    expect(new Set(finished).size).toBe(finished.length);
  });

  it('applies only what is new when files are added', async () => {
    await migrate(database, { directory: await files(twoTables) });
    const more = await files({ ...twoTables, '0002_more.sql': 'CREATE TABLE c (id int PRIMARY KEY)' });
    expect(await migrate(database, { directory: more })).toEqual(['0002_more.sql']);
    expect(await tables()).toEqual(['a', 'b', 'c']);
  });

  it('refuses a file that was changed after it had been applied, naming it, and changes nothing', async () => {
    await migrate(database, { directory: await files(twoTables) });
    const changed = await files({
      '0001_first.sql': `${twoTables['0001_first.sql']}-- a remark`,
      '0002_more.sql': 'CREATE TABLE c (id int PRIMARY KEY)',
    });
    expect(await failure(migrate(database, { directory: changed }))).toMatch(
      /^metadata: migration 0001_first\.sql was changed/,
    );
    expect(await tables()).toEqual(['a', 'b']);
  });

  it('a failing statement names file and statement; after the file is mended the rest is applied', async () => {
    const broken = await files({
      '0001_first.sql': 'CREATE TABLE a (id int PRIMARY KEY)\n-- next\nCREATE TABEL b (id int)',
    });
    expect(await failure(migrate(database, { directory: broken }))).toMatch(
      /^metadata: migration 0001_first\.sql, statement 2 of 2: .*syntax/,
    );
    expect(await tables()).toEqual(['a']);
    expect(await migrate(database, { directory: await files(twoTables) })).toEqual(['0001_first.sql']);
    expect(await tables()).toEqual(['a', 'b']);
  });

  it.each(['1_first.sql', '0001-first.sql'])('refuses a file with the name %s', async (name) => {
    const directory = await files({ [name]: 'SELECT 1' });
    expect(await failure(migrate(database, { directory }))).toContain(name);
  });

  it('refuses two files with one number', async () => {
    const directory = await files({ '0001_a.sql': 'SELECT 1', '0001_b.sql': 'SELECT 1' });
    expect(await failure(migrate(database, { directory }))).toContain('number 1');
  });

  it('goes on after its connection was cut in the middle of a file', async () => {
    // The third statement waits for a lock that this test holds.
    const directory = await files({
      '0001_long.sql': [
        'CREATE TABLE a (id int PRIMARY KEY)',
        'INSERT INTO a VALUES (1)',
        "DO GET_LOCK('gate', 30)",
        'CREATE TABLE b (id int PRIMARY KEY)',
      ].join('\n-- next\n'),
    });
    await database.administer(async (session) => {
      await session.query("DO GET_LOCK('gate', 0)");
      // What the server sees of a killed process: the connection is gone, without a word.
      const kill = new AbortController();
      const killed = migrate(server.another(), { directory, signal: kill.signal });
      await expect
        .poll(
          () =>
            session.rows(
              "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User lock' AND INFO LIKE '%gate%'",
            ),
          { timeout: 20_000 },
        )
        .toHaveLength(1);
      kill.abort(new Error('killed'));
      await expect(killed).rejects.toThrow('killed');
      expect(await tables()).toEqual(['a']);
    });
    expect(await migrate(database, { directory })).toEqual(['0001_long.sql']);
    expect(await tables()).toEqual(['a', 'b']);
    // The second statement was not repeated: it would have failed on the primary key.
  });

  it('goes on when the crash came between a definition and the note that it was done', async () => {
    const directory = await files(twoTables);
    await migrate(database, { directory });
    for (const done of [0, 1]) {
      await database.administer((session) =>
        session.execute('UPDATE kluster_migrations SET done = ?, checksum = ?, finished_at = NULL', [
          done,
          checksumOf(['CREATE TABLE a (id int PRIMARY KEY)'].slice(0, done)),
        ]),
      );
      if (done === 0) await database.administer((session) => session.query('DROP TABLE b'));
      expect(await migrate(database, { directory })).toEqual(['0001_first.sql']);
      expect(await tables()).toEqual(['a', 'b']);
    }
  });

  it('does not take an existing table for its own work', async () => {
    await database.administer((session) => session.query('CREATE TABLE b (other int)'));
    expect(await failure(migrate(database, { directory: await files(twoTables) }))).toMatch(
      /statement 2 of 2: .*exists/,
    );
  });
});

describe('createMetadataDatabase', () => {
  it('keeps a database that exists', async () => {
    await migrate(database, { directory: await files(twoTables) });
    await createMetadataDatabase(server.options(server.currentDatabase));
    expect(await tables()).toEqual(['a', 'b']);
  });
});
