import { beforeAll, expect, test } from 'vitest';
import { DefinitionGenerator } from '../../support/definition-generator.ts';
import { misplacedTables, openIntents } from '../../support/second-compute-node.ts';
import { startServerPair, type ServerPair } from '../../support/server-pair.ts';
import { outcomeOf } from '../../support/two-servers.ts';

/**
 * Random definitions and changes, many of them wrong, on a compute node and on plain PostgreSQL: the same rows and the same
 * SQLSTATE, or a refusal by name; the same catalogs afterwards, and on the shards the tables that the catalog names.
 * Longer: `KLUSTER_TEST_SEQUENCES=1000 KLUSTER_TEST_SEED=7 npm test -- compute/fuzz`
 */
const seed = Number(process.env['KLUSTER_TEST_SEED'] ?? 20_260_102);
const sequences = Number(process.env['KLUSTER_TEST_SEQUENCES'] ?? 12);
const statements = 14;
const transactionLength = 4;
const shownDifferences = 10;

/**
 * What PostgreSQL can do and a compute node refuses by name: not supported, beyond a limit of MySQL, a name too long, and in a
 * transaction that has used the shard before.
 */
const refusals = new Set(['0A000', '54000', '42622', '55006']);

const catalogs = [
  `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid)
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
    WHERE c.relnamespace = 'fuzz'::regnamespace AND c.relkind IN ('r', 'f', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped`,
  `SELECT i.relname, t.relname, indisunique, indisprimary, indkey::text FROM pg_index x
     JOIN pg_class i ON i.oid = indexrelid JOIN pg_class t ON t.oid = indrelid WHERE i.relnamespace = 'fuzz'::regnamespace`,
  `SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'fuzz'::regnamespace AND conrelid <> 0`,
] as const;

/** Long lists say nothing. */
const shorten = (text: string): string =>
  text
    .split('\n')
    .map((line) => (line.length > 600 ? `${line.slice(0, 300)} … ${line.slice(-300)}` : line))
    .join('\n');

let pair: ServerPair;

beforeAll(async () => {
  pair = await startServerPair(25_521);
  for (const sql of [
    `SET statement_timeout = '60s'`,
    `SET search_path = fuzz, public`,
    `CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')`,
    `CREATE DOMAIN public.positive AS int CHECK (VALUE > 0)`,
  ])
    await pair.run(sql);
}, 180_000);

/** On the compute node first: what it refuses is not done on the other either. */
async function step(text: string): Promise<string | undefined> {
  const there = await outcomeOf(pair.compute, { text });
  return refusals.has(there.error ?? '') ? undefined : pair.compareWith(there, { text });
}

async function afterwards(): Promise<readonly (string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (const text of catalogs) found.push(await pair.compare({ text }));
  const { rows } = await pair.plain.query<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'fuzz'::regnamespace AND relkind IN ('r', 'p')`,
  );
  for (const { name } of rows) found.push(await pair.compare({ text: `SELECT * FROM ${name}` }));
  return [...found, ...(await misplacedTables(pair.node, pair.compute))];
}

/** Runs statements in their order; what differs, or undefined. Those that were run are added to `done`. */
type Play = (texts: readonly string[], done: string[]) => Promise<string | undefined>;

const oneByOne: Play = async (texts, done) => {
  for (const text of texts) {
    done.push(text);
    const difference = await step(text);
    if (difference !== undefined) return difference;
  }
  return undefined;
};

/** The failure of a statement undoes this statement only. */
async function stepWithin(text: string): Promise<string | undefined> {
  await pair.run('SAVEPOINT before');
  const there = await outcomeOf(pair.compute, { text });
  const difference = refusals.has(there.error ?? '') ? undefined : await pair.compareWith(there, { text });
  await pair.run(there.error === undefined ? 'RELEASE SAVEPOINT before' : 'ROLLBACK TO SAVEPOINT before');
  return difference;
}

const endings = [['COMMIT'], ['ROLLBACK'], ['ROLLBACK TO SAVEPOINT half', 'COMMIT']] as const;

/** Several in one transaction, which is undone, kept, or undone by half. */
const inTransactions: Play = async (texts, done) => {
  for (let from = 0; from < texts.length; from += transactionLength) {
    const some = texts.slice(from, from + transactionLength);
    const ending = endings[(from / transactionLength) % endings.length] ?? endings[0];
    await pair.run('BEGIN');
    for (const [index, text] of some.entries()) {
      if (index === transactionLength / 2) await pair.run('SAVEPOINT half');
      done.push(`${index === 0 ? 'BEGIN; ' : ''}${text}`);
      const difference = await stepWithin(text);
      if (difference !== undefined) return difference;
    }
    for (const text of some.length > transactionLength / 2 ? ending : endings[1]) {
      done.push(text);
      await pair.run(text);
    }
    const difference = (await afterwards()).find((found) => found !== undefined);
    if (difference !== undefined) return difference;
  }
  return undefined;
};

test.for<readonly [string, Play, number]>([
  ['random definitions and changes do what PostgreSQL does', oneByOne, 1],
  ['so do those of one transaction, and leave nothing when it is undone', inTransactions, 2],
])('%s', { timeout: 3_600_000 }, async ([, play, first]) => {
  const differences: string[] = [];
  for (let at = 0; at < sequences && differences.length < shownDifferences; at += 1) {
    const chosen = seed * first + at;
    const done: string[] = [];
    await pair.run('CREATE SCHEMA fuzz');
    let difference = await play(new DefinitionGenerator(chosen).sequence(statements), done);
    await pair.run('ROLLBACK');
    difference ??= (await afterwards()).find((found) => found !== undefined);
    if (difference !== undefined) {
      const before = done.map((text) => text.slice(0, 200)).join(';\n');
      differences.push(`seed ${String(chosen)}, after:\n${before}\n${shorten(difference)}\n`);
    }
    await pair.run('DROP SCHEMA fuzz CASCADE');
    expect(await misplacedTables(pair.node, pair.compute), differences.join('\n')).toEqual([]);
    expect(await openIntents(pair.node)).toBe(0);
  }
  expect(differences.join('\n')).toBe('');
});
