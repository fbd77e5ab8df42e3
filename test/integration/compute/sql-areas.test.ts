import { beforeAll, expect, test } from 'vitest';
import { postgresWithExtension } from '../../support/compute-engines.ts';
import { Pgbench } from '../../support/pgbench.ts';
import { definitionErrors } from '../../support/definition-errors.ts';
import { foreignKeyAreas } from '../../support/foreign-key-statements.ts';
import { startServerPair, type ServerPair } from '../../support/server-pair.ts';
import { sqlAreas } from '../../support/sql-areas.ts';

/** Areas of PostgreSQL's SQL: the same statements give the same rows and errors on a compute node and on PostgreSQL. */

const sorted = '--sorted ';

let pair: ServerPair;

beforeAll(async () => {
  pair = await startServerPair(25_511);
}, 180_000);

const areas = { ...sqlAreas, ...foreignKeyAreas, 'errors of definitions': definitionErrors };

test.each(Object.entries(areas))('%s', { timeout: 120_000 }, async (_area, statements) => {
  const differences: string[] = [];
  for (const text of statements) {
    const ordered = text.startsWith(sorted);
    const found = await pair.compare({ text: ordered ? text.slice(sorted.length) : text, ordered });
    if (found !== undefined) differences.push(found);
  }
  expect(differences.join('\n')).toBe('');
});

test('what a cluster cannot do is refused by name, and nothing is changed', async () => {
  const session = await pair.node.session();
  await session.query(`CREATE TABLE refused (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);
    CREATE TABLE refused_parts (id int, k int) PARTITION BY LIST (k);
    CREATE TABLE refused_part PARTITION OF refused_parts FOR VALUES IN (1);
    INSERT INTO refused (n) VALUES (1); INSERT INTO refused_parts VALUES (1, 1);
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER after_insert AFTER INSERT ON refused FOR EACH ROW EXECUTE FUNCTION nothing()`);
  const refusals: readonly (readonly [string, string])[] = [
    ['SELECT * FROM refused_parts TABLESAMPLE SYSTEM (50)', 'TABLESAMPLE is not supported for sharded table'],
    [
      'MERGE INTO refused_parts r USING refused s ON r.id = s.id WHEN MATCHED THEN DELETE',
      'cannot execute MERGE',
    ],
    [
      'BEGIN; LOCK TABLE refused_parts IN SHARE MODE',
      'LOCK TABLE is not supported for sharded table "refused_parts"',
    ],
    ['ALTER TABLE refused_parts ENABLE ROW LEVEL SECURITY', 'row level security is not supported'],
    ["COPY refused (n) FROM PROGRAM 'echo 1'", 'without its identity column "id" is not supported'],
    [
      'INSERT INTO refused VALUES (DEFAULT, 2) ON CONFLICT (id) DO UPDATE SET n = 5',
      'ON CONFLICT DO UPDATE is not supported for table "refused", because it has row triggers',
    ],
  ];
  for (const [statement, reason] of refusals) {
    await expect(session.query(statement)).rejects.toThrow(reason);
    await session.query('ROLLBACK');
  }
  await session.query('DROP TRIGGER after_insert ON refused');
  await session.query("COPY refused (n) FROM PROGRAM 'seq 2 3'");
  const { rows } = await session.query('SELECT id, n FROM refused UNION ALL SELECT id, k FROM refused_parts');
  expect(rows.length).toBe(4);
  expect(new Set(rows.map(({ id, n }) => `${String(id)} ${String(n)}`)).size).toBe(4 - 1);
  await session.query('DROP TABLE refused, refused_parts; DROP FUNCTION nothing()');
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
