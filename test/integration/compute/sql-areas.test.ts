import { beforeAll, expect, test } from 'vitest';
import { postgresWithExtension } from '../../support/compute-engines.ts';
import { Pgbench } from '../../support/pgbench.ts';
import { definitionErrors } from '../../support/definition-errors.ts';
import { startServerPair, type ServerPair } from '../../support/server-pair.ts';
import { sqlAreas } from '../../support/sql-areas.ts';

/** Areas of PostgreSQL's SQL: the same statements give the same rows and errors on a compute node and on PostgreSQL. */

const sorted = '--sorted ';

let pair: ServerPair;

beforeAll(async () => {
  pair = await startServerPair(25_511);
}, 180_000);

const areas = { ...sqlAreas, 'errors of definitions': definitionErrors };

test.each(Object.entries(areas))('%s', { timeout: 120_000 }, async (_area, statements) => {
  const differences: string[] = [];
  for (const text of statements) {
    const ordered = text.startsWith(sorted);
    const found = await pair.compare({ text: ordered ? text.slice(sorted.length) : text, ordered });
    if (found !== undefined) differences.push(found);
  }
  expect(differences.join('\n')).toBe('');
});

test('node-postgres: parameters, named statements, and its own types', async () => {
  const session = await pair.node.session();
  await session.query(
    'CREATE TABLE np (id serial PRIMARY KEY, doc jsonb, at timestamptz, data bytea, tags text[], big bigint)',
  );
  const values = [
    { a: [1, 'ü'] },
    new Date('2024-05-06T07:08:09.123Z'),
    Buffer.from([0, 255, 39, 92]),
    ['x', 'y"z'],
    '9007199254740993',
  ];
  const inserted = await session.query(
    'INSERT INTO np (doc, at, data, tags, big) VALUES ($1, $2, $3, $4, $5) RETURNING id',
    [JSON.stringify(values[0]), ...values.slice(1)],
  );
  const { rows } = await session.query({
    name: 'np',
    text: 'SELECT doc, at, data, tags, big FROM np WHERE id = $1',
    values: [inserted.rows[0].id],
  });
  expect(rows.map(Object.values)).toEqual([values]);
  await session.query('DROP TABLE np');
});

test('pgbench: its standard and its select-only script, unmodified', { timeout: 180_000 }, async () => {
  const pgbench = new Pgbench(await postgresWithExtension(), pair.node.address);
  await pgbench.initialise();
  await pgbench.rate(['-t', '25', '-c', '4', '-M', 'prepared']);
  await pgbench.rate(['-t', '25', '-c', '2', '-S']);
  const { rows } = await pair.compute.query(
    `SELECT (SELECT sum(abalance) FROM pgbench_accounts) AS accounts, (SELECT sum(tbalance) FROM pgbench_tellers) AS tellers,
       (SELECT sum(bbalance) FROM pgbench_branches) AS branches, (SELECT sum(delta) FROM pgbench_history) AS history,
       (SELECT count(*) FROM pgbench_history) AS transactions`,
  );
  const [{ history, transactions }] = rows;
  expect(rows).toEqual([{ accounts: history, tellers: history, branches: history, history, transactions }]);
  expect(transactions).toBe('100');
});
