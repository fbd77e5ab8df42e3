import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startComputeNode } from '../../support/compute-node.ts';
import { startPostgresServer, type PostgresServer } from '../../support/postgres-server.ts';
import { generatedTables, QueryGenerator } from '../../support/query-generator.ts';
import { difference, outcomeOf, type Statement } from '../../support/two-servers.ts';

/** The same SQL on a compute node and on plain PostgreSQL gives the same rows and the same errors. */

const seed = Number(process.env['KLUSTER_TEST_SEED'] ?? 20_260_101);
const queries = Number(process.env['KLUSTER_TEST_QUERIES'] ?? 2500);
const changes = Math.ceil(queries / 10);
const rowsPerTable = 120;

let compute: Client;
let plain: Client;
let plainSession: Client | undefined;
let plainServer: PostgresServer | undefined;

afterAll(async () => {
  await plainSession?.end();
  await plainServer?.stop();
});

const withoutPlacement = (sql: string): string => sql.replace(/\s*WITH \(shard = \w+\)/gu, '');

async function onBoth(sql: string): Promise<void> {
  await compute.query(sql);
  await plain.query(withoutPlacement(sql));
}

beforeAll(async () => {
  const node = await startComputeNode(25_501);
  plainServer = await startPostgresServer('127.0.0.1', 25_502);
  const { hostaddr: host, port, user, password } = plainServer.address;
  plain = new Client({ host, port, user, password, database: 'postgres' });
  plainSession = plain;
  await plain.connect();
  compute = await node.session();
  for (const sql of [`SET TimeZone = 'Europe/Berlin'`, ...generatedTables]) await onBoth(sql);
  const generator = new QueryGenerator(seed);
  for (const table of ['one', 'two', 'three'] as const) await onBoth(generator.rows(table, rowsPerTable));
});

async function compare(statement: Statement): Promise<string | undefined> {
  const there = await outcomeOf(compute, statement);
  const here = await outcomeOf(plain, { ...statement, text: withoutPlacement(statement.text) });
  return difference(statement, there, here);
}

test('generated queries give the same rows', async () => {
  const generator = new QueryGenerator(seed + 1);
  const differences: string[] = [];
  for (let count = 0; count < queries && differences.length < 10; count += 1) {
    const found = await compare(generator.query());
    if (found !== undefined) differences.push(found);
  }
  expect(differences.join('\n')).toBe('');
});

test('generated changes leave the same rows', async () => {
  const generator = new QueryGenerator(seed + 2);
  const differences: string[] = [];
  for (let count = 0; count < changes && differences.length < 5; count += 1) {
    const change = generator.change();
    await onBoth('BEGIN');
    const found = [await compare(change)];
    // After an error there is nothing to see until the transaction ends.
    for (const table of ['one', 'two', 'three'])
      found.push(await compare({ text: `SELECT * FROM ${table}` }));
    await onBoth('ROLLBACK');
    const first = found.find((text) => text !== undefined);
    if (first !== undefined) differences.push(`after ${change.text}\n${first}`);
  }
  expect(differences.join('\n')).toBe('');
});
