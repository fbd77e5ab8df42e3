import { cp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { PostgresInstallation } from '../../../src/engines/installation.ts';
import { postgresIn } from '../../../src/engines/postgres-installation.ts';
import { extensionDirectory } from '../../../src/engines/postgres-extension.ts';
import { computeNodeSettings, postgresWithExtension } from '../../support/compute-engines.ts';
import { startPostgresServer, type PostgresServer } from '../../support/postgres-server.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** The objects of the extension follow the library: an older version is that of now without one function. */

const missing = /^CREATE FUNCTION kluster\.retry_ddl\(\)[^;]*;\nREVOKE [^;]*;\nCOMMENT [^;]*;\n/mu;
const older = '0.9';

let server: PostgresServer;

/** A copy of PostgreSQL that also has the older version, and the way from it to the one of now. */
async function withOlderVersion(): Promise<PostgresInstallation> {
  const [original, prefix] = [await postgresWithExtension(), await scratchDirectory()];
  const extensions = await extensionDirectory(original);
  for (const directory of [original.directory, dirname(extensions)])
    await cp(directory, join(prefix, directory), { recursive: true, verbatimSymlinks: true });
  const copy = await postgresIn(join(prefix, original.directory));
  const file = (version: string): string => join(prefix, extensions, `kluster--${version}.sql`);
  const control = await readFile(join(prefix, extensions, 'kluster.control'), 'utf8');
  const current = /default_version = '(.*)'/u.exec(control)?.[1] ?? '';
  const objects = await readFile(file(current), 'utf8');
  const [lacking] = missing.exec(objects) ?? [];
  if (lacking === undefined) throw new Error('the function is not defined as expected');
  await writeFile(file(older), objects.replace(lacking, ''));
  await writeFile(file(`${older}--${current}`), lacking);
  return copy;
}

beforeAll(async () => {
  server = await startPostgresServer('127.0.0.1', 15_631, {
    ...(await computeNodeSettings()),
    installation: await withOlderVersion(),
  });
});
afterAll(() => server.stop());

async function session(database: string): Promise<Client> {
  const { hostaddr: host, port, user, password } = server.address;
  const client = new Client({ host, port, user, password, database });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  return client;
}

/** In a session of its own. */
async function execute(database: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = await session(database);
  const { rows } = await client.query<Record<string, unknown>>(statement);
  await client.end();
  return rows;
}

async function versionIn(database: string): Promise<unknown> {
  const [row] = await execute(
    database,
    `SELECT extversion || ' ' || (to_regproc('kluster.retry_ddl') IS NOT NULL) AS version
       FROM pg_extension WHERE extname = 'kluster'`,
  );
  return row?.['version'];
}

async function becomes(database: string, version: string): Promise<void> {
  for (const deadline = performance.now() + 60_000; ; await sleep(50)) {
    const found = await versionIn(database);
    if (found === version) return;
    if (performance.now() > deadline) expect(found).toBe(version);
  }
}

test('a start with a newer library updates every database, and tries again where something is in the way', async () => {
  for (const database of ['template1', 'postgres'])
    await execute(database, `CREATE EXTENSION kluster VERSION '${older}'`);
  await execute('postgres', 'CREATE DATABASE used');
  await execute('postgres', 'CREATE DATABASE obstructed');
  await execute(
    'obstructed',
    'CREATE FUNCTION kluster.retry_ddl() RETURNS void LANGUAGE sql AS $$SELECT NULL::void$$',
  );
  expect(await versionIn('used')).toBe('0.9 false');
  await server.crash();
  await becomes('used', '1.0 true');
  await becomes('template1', '1.0 true');
  // The last one, because it says that all others have been updated.
  expect(await versionIn('postgres')).toBe('0.9 false');
  await execute('obstructed', 'DROP FUNCTION kluster.retry_ddl()');
  await becomes('postgres', '1.0 true');
  await becomes('obstructed', '1.0 true');
});
