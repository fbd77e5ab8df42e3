import { readFile } from 'node:fs/promises';
import type { Client } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { startComputeNode, type ComputeNode } from '../../support/compute-node.ts';
import { preloadVariable } from '../../support/sanitizer.ts';

/**
 * The memory of a session does not grow with the number of its statements: neither PostgreSQL's own, nor what the client
 * library of MySQL allocates. Longer: `KLUSTER_TEST_STATEMENTS=100000 npm test -- compute/memory`
 */
const statements = Number(process.env['KLUSTER_TEST_STATEMENTS'] ?? 400);
/** Before the first look: caches and allocators have what they need. */
const warmUp = 200;
/** Bytes that may be added once, whatever the number: hash tables grow in steps, allocators keep what was free. */
const once = { contexts: 64 * 1024, process: 384 * 1024 };
/** Bytes for each statement: less than the smallest thing that could be forgotten. */
const each = 8;

/** What one repetition does, and how many of them count as one statement. */
const kinds: Readonly<Record<string, { readonly sql: readonly string[]; readonly share?: number }>> = {
  read: { sql: ['SELECT * FROM one WHERE id = 7'] },
  'read rows and stop early': { sql: ['SELECT * FROM one LIMIT 3'] },
  join: { sql: ['SELECT count(*) FROM one JOIN two USING (id) WHERE one.id < 20'], share: 4 },
  write: { sql: [`UPDATE one SET note = 'x' WHERE id = 7`] },
  'insert and delete': {
    sql: [`INSERT INTO one VALUES (-1, 'a') RETURNING id`, 'DELETE FROM one WHERE id = -1'],
  },
  'write to two shards': {
    sql: [
      'BEGIN',
      `UPDATE one SET note = 'y' WHERE id = 8`,
      `UPDATE two SET note = 'y' WHERE id = 8`,
      'COMMIT',
    ],
    share: 4,
  },
  'insert or update': {
    sql: [`INSERT INTO one VALUES (7, 'u') ON CONFLICT (id) DO UPDATE SET note = excluded.note || 'v'`],
  },
  'violate a key': { sql: [`INSERT INTO one VALUES (7, 'again')`] },
  'fail while rows come': { sql: ['SELECT 1 / (id - 50) FROM one'] },
  'roll back to a savepoint': {
    sql: [
      'BEGIN',
      `UPDATE one SET note = 'z' WHERE id = 9`,
      'SAVEPOINT s',
      `INSERT INTO one VALUES (7, 'again')`,
      'ROLLBACK TO s',
      'COMMIT',
    ],
    share: 2,
  },
  'leave a cursor': {
    sql: [
      'BEGIN',
      'DECLARE c CURSOR FOR SELECT * FROM one',
      'FETCH 2 FROM c',
      'UPDATE one SET note = note WHERE id = 1',
      'ROLLBACK',
    ],
    share: 2,
  },
  cancel: {
    sql: [
      `SET statement_timeout = 5`,
      `SELECT * FROM kluster.query_on_shard(1, 'SELECT SLEEP(1)')`,
      'RESET statement_timeout',
    ],
    share: 20,
  },
  'draw from a sequence': { sql: ["SELECT nextval('counted')"] },
  'set a sequence back': {
    sql: ["SELECT setval('counted', 1)", 'ALTER SEQUENCE counted RESTART'],
    share: 20,
  },
  define: { sql: ['CREATE TABLE made (id int PRIMARY KEY, t text)', 'DROP TABLE made'], share: 20 },
};

let node: ComputeNode;

beforeAll(async () => {
  node = await startComputeNode(25_551);
  const session = await node.session();
  await session.query('CREATE SEQUENCE counted');
  for (const [name, shard] of [
    ['one', 1],
    ['two', 2],
  ]) {
    await session.query(
      `CREATE TABLE ${String(name)} (id int PRIMARY KEY, note text) WITH (shard = ${String(shard)})`,
    );
    await session.query(
      `INSERT INTO ${String(name)} SELECT id, repeat('n', 100) FROM generate_series(1, 200) AS id`,
    );
  }
});

async function repeat(session: Client, sql: readonly string[], times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    for (const text of sql) {
      // Errors are what some kinds are about.
      await session.query(text).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error)) throw error;
      });
    }
  }
}

/** What contexts of PostgreSQL hold, and what the process has that is not shared with others. */
async function memoryOf(session: Client): Promise<{ readonly contexts: number; readonly process: number }> {
  const { rows } = await session.query<{ pid: number; used: string }>(
    'SELECT pg_backend_pid() AS pid, sum(used_bytes) AS used FROM pg_backend_memory_contexts',
  );
  const [row] = rows;
  const status = await readFile(`/proc/${String(row?.pid)}/status`, 'utf8');
  const kilobytes = /^RssAnon:\s+(\d+) kB$/mu.exec(status)?.[1];
  return { contexts: Number(row?.used), process: Number(kilobytes) * 1024 };
}

test.each(Object.entries(kinds))('%s', { timeout: 3_600_000 }, async (_name, { sql, share = 1 }) => {
  const times = Math.ceil(statements / share);
  const session = await node.session();
  await repeat(session, sql, Math.ceil(warmUp / share));
  const before = await memoryOf(session);
  await repeat(session, sql, times);
  const after = await memoryOf(session);
  const grown = { contexts: after.contexts - before.contexts, process: after.process - before.process };
  if (process.env['KLUSTER_TEST_STATEMENTS'] !== undefined)
    process.stderr.write(`${_name}: ${String(times)} times, ${JSON.stringify(grown)} bytes more\n`);
  expect(grown.contexts).toBeLessThan(once.contexts + each * times);
  // AddressSanitizer keeps what was freed, on purpose.
  if (process.env[preloadVariable] === undefined)
    expect(grown.process).toBeLessThan(once.process + each * times);
});
