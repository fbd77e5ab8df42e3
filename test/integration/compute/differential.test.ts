import { beforeAll, expect, test } from 'vitest';
import { generatedTables, QueryGenerator } from '../../support/query-generator.ts';
import { startServerPair, type ServerPair } from '../../support/server-pair.ts';

/** Generated SQL on a compute node and on plain PostgreSQL gives the same rows and the same errors. */

const seed = Number(process.env['KLUSTER_TEST_SEED'] ?? 20_260_101);
const queries = Number(process.env['KLUSTER_TEST_QUERIES'] ?? 1000);
const changes = Math.ceil(queries / 10);
const rowsPerTable = 120;
const tables = ['one', 'two', 'three'] as const;

let pair: ServerPair;

beforeAll(async () => {
  pair = await startServerPair(25_501);
  for (const sql of [`SET TimeZone = 'Europe/Berlin'`, ...generatedTables]) await pair.run(sql);
  const generator = new QueryGenerator(seed);
  for (const table of tables) await pair.run(generator.rows(table, rowsPerTable));
}, 180_000);

test('generated queries give the same rows', { timeout: 300_000 }, async () => {
  const generator = new QueryGenerator(seed + 1);
  const differences: string[] = [];
  for (let count = 0; count < queries && differences.length < 10; count += 1) {
    const found = await pair.compare(generator.query());
    if (found !== undefined) differences.push(found);
  }
  expect(differences.join('\n')).toBe('');
});

test('generated changes leave the same rows', { timeout: 300_000 }, async () => {
  const generator = new QueryGenerator(seed + 2);
  const differences: string[] = [];
  for (let count = 0; count < changes && differences.length < 5; count += 1) {
    const change = generator.change();
    await pair.run('BEGIN');
    const found = [await pair.compare(change)];
    for (const table of tables) found.push(await pair.compare({ text: `SELECT * FROM ${table}` }));
    await pair.run('ROLLBACK');
    const first = found.find((text) => text !== undefined);
    if (first !== undefined) differences.push(`after ${change.text}\n${first}`);
  }
  expect(differences.join('\n')).toBe('');
});
