import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { definitionLogTable } from '../../../src/catalog/cluster-logs.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import type { SqlSession } from '../../../src/engines/sql.ts';
import { startComputeNode, type ComputeNode } from '../../support/compute-node.ts';
import {
  loggedSources,
  misplacedTables,
  openIntents,
  rowsAt,
  startSecondComputeNode,
  tablesAtShards,
  type SecondComputeNode,
} from '../../support/second-compute-node.ts';

let node: ComputeNode;
let other: SecondComputeNode;
let one: Client;

beforeAll(async () => {
  node = await startComputeNode(15_611);
  one = await node.session();
  await one.query('CREATE TABLE before_it_came (id serial PRIMARY KEY)');
  await one.query("CREATE ROLE visitor LOGIN PASSWORD 'Visitor-1'");
  await one.query('GRANT SELECT ON before_it_came TO visitor');
  other = await startSecondComputeNode(node, 2, 15_612);
});

const first = async (session: Client, statement: string): Promise<unknown> => {
  const [row] = (await session.query({ text: statement, rowMode: 'array' })).rows as unknown[][];
  return row?.[0];
};

/** What both compute nodes say, when they say the same. */
const same = async (two: Client, statement: string): Promise<unknown> => {
  const [here, there] = await Promise.all(
    [one, two].map(async (session) => (await session.query(statement)).rows),
  );
  expect(there).toEqual(here);
  return here;
};

test('a new compute node has everything before it accepts a client', async () => {
  for (const deadline = performance.now() + 60_000; ; await sleep(50)) {
    try {
      const two = await other.session({ user: 'visitor', password: 'Visitor-1' });
      expect(await first(two, 'SELECT count(*)::int FROM before_it_came')).toBe(0);
      return;
    } catch (error) {
      // The one answer that a client may get before: try again later.
      const waits = error instanceof Error && 'code' in error && error.code === '57P03';
      if (!waits || performance.now() > deadline) throw error;
    }
  }
});

test('what one compute node defines, the other can use at once', async () => {
  const two = await other.session();
  for (let round = 0; round < 5; round += 1) {
    await one.query(`CREATE TABLE t${String(round)} (id int PRIMARY KEY, v text)`);
    await two.query(`INSERT INTO t${String(round)} VALUES (1, 'x')`);
    await two.query(`ALTER TABLE t${String(round)} ADD COLUMN w int DEFAULT 5`);
    expect(await first(one, `SELECT w FROM t${String(round)}`)).toBe(5);
    await one.query(`DROP TABLE t${String(round)}`);
    await expect(two.query(`SELECT 1 FROM t${String(round)}`)).rejects.toThrow('does not exist');
  }
});

test('schemas, views, functions, types, roles, grants, comments and partitions are the same everywhere', async () => {
  const two = await other.session();
  await one.query(`
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('good', 'bad');
    CREATE DOMAIN app.positive AS int CHECK (VALUE > 0)`);
  await one.query('SET search_path = app, public');
  await one.query('CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood, n positive)');
  await one.query('SET kluster.deferrable_at_once = on');
  await one.query(
    'CREATE TABLE piece (item int REFERENCES item ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)',
  );
  await one.query('RESET kluster.deferrable_at_once');
  await one.query('CREATE VIEW good AS SELECT id FROM item WHERE m = $$good$$');
  await one.query('CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 2 * $1 $$');
  await one.query('CREATE TABLE log (day date, what text) PARTITION BY RANGE (day)');
  await one.query("CREATE TABLE log_2020 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')");
  await one.query("COMMENT ON TABLE item IS 'what there is'");
  await one.query('CREATE ROLE reader');
  await one.query('GRANT USAGE ON SCHEMA app TO reader; GRANT SELECT ON good TO reader');
  await one.query("DO $$ BEGIN EXECUTE 'CREATE TABLE from_block (id int)'; END $$");
  await one.query('RESET search_path');
  await same(
    two,
    `SELECT c.relname, c.relkind, c.relacl::text, obj_description(c.oid), pg_get_expr(c.relpartbound, c.oid), f.ftoptions
       FROM pg_class c LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
      WHERE c.relnamespace = 'app'::regnamespace ORDER BY 1`,
  );
  await same(
    two,
    `SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE connamespace = 'app'::regnamespace AND conrelid <> 0 ORDER BY 1`,
  );
  await expect(two.query('INSERT INTO app.piece VALUES (1)')).rejects.toThrow('"piece_item_fkey"');
  await two.query("INSERT INTO app.item (m, n) VALUES ('good', 3)");
  expect(await first(one, 'SELECT app.twice(count(*)::int) FROM app.good')).toBe(2);
  await two.query('DROP SCHEMA app CASCADE; DROP ROLE reader');
  await same(two, "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'");
});

test('sequences never give a value twice, and count 1, 2, 3 on one compute node', async () => {
  const two = await other.session();
  await one.query('CREATE TABLE numbered (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY, v int)');
  expect((await one.query('INSERT INTO numbered (v) VALUES (0), (0), (0) RETURNING id, i')).rows).toEqual([
    { id: 1, i: 1 },
    { id: 2, i: 2 },
    { id: 3, i: 3 },
  ]);
  const insert = (session: Client): Promise<unknown> =>
    session.query('INSERT INTO numbered (v) SELECT g FROM generate_series(1, 500) AS g');
  await Promise.all([insert(one), insert(two)]);
  await Promise.all([insert(one), insert(two)]);
  expect(
    (await one.query('SELECT count(*)::int AS n, count(DISTINCT i)::int AS i FROM numbered')).rows,
  ).toEqual([{ n: 2003, i: 2003 }]);
  await one.query("SELECT setval('numbered_id_seq', 100000)");
  expect(await first(one, 'INSERT INTO numbered (v) VALUES (0) RETURNING id')).toBe(100_001);
  expect(await first(two, 'INSERT INTO numbered (v) VALUES (0) RETURNING id')).toBeGreaterThan(100_001);
  expect(await first(two, "SELECT currval('numbered_id_seq') = lastval() OR lastval() > 0")).toBe(true);
  await two.query('DROP TABLE numbered');
});

test('definitions on both compute nodes at the same time all happen', async () => {
  const two = await other.session();
  const define = async (session: Client, name: string): Promise<void> => {
    for (let round = 0; round < 4; round += 1) {
      await session.query(`CREATE TABLE ${name}_${String(round)} (id int PRIMARY KEY)`);
      await session.query(`CREATE INDEX ON ${name}_${String(round)} (id)`);
    }
  };
  await Promise.all([define(one, 'left'), define(two, 'right')]);
  await same(two, "SELECT relname FROM pg_class WHERE relname ~ '^(left|right)_' ORDER BY 1");
  await one.query(`DROP TABLE left_0, left_1, left_2, left_3, right_0, right_1, right_2, right_3`);
  await same(two, "SELECT count(*) FROM pg_class WHERE relname ~ '^(left|right)_'");
});

test('the views that tools look for are found without a schema', async () => {
  expect(
    (await one.query('SELECT id::int, name, master_node_id::int FROM pg_shard ORDER BY id')).rows,
  ).toEqual([
    { id: 1, name: 'shard_1', master_node_id: 1 },
    { id: 2, name: 'shard_2', master_node_id: 2 },
  ]);
  expect((await one.query('SELECT port FROM pg_shard_node ORDER BY id')).rows).toEqual(
    node.shards.map(({ port }) => ({ port })),
  );
  await one.query('UPDATE pg_shard_node SET ro_weight = 7 WHERE id = 2');
  expect((await one.query('SELECT ro_weight FROM pg_shard_node ORDER BY id')).rows).toEqual([
    { ro_weight: 0 },
    { ro_weight: 7 },
  ]);
  await expect(one.query('UPDATE pg_shard_node SET port = 1')).rejects.toThrow('only ro_weight');
  expect(await first(one, 'SELECT cluster_name FROM pg_cluster_meta')).toBe(node.topology.cluster_name);
  expect(await first(one, 'SELECT is_master FROM pg_cluster_meta_nodes')).toBe(true);
  expect(await first(one, 'SELECT max_op_id_done_local > 0 FROM pg_ddl_log_progress')).toBe(true);
});

test('a definition that cannot be applied is named, tried again, or left out on record', async () => {
  const two = await other.session();
  await one.query("SET kluster.ddl_follow_timeout = '100ms'");
  await two.query('SET kluster.local_ddl = on; CREATE TABLE clash (id int); CREATE TABLE obstacle (id int)');
  const failing = async (): Promise<unknown> =>
    (await two.query('SELECT op_id, database, error FROM kluster.ddl_failure()')).rows[0];
  const eventually = (look: () => Promise<unknown>) => expect.poll(look, { timeout: 30_000, interval: 50 });

  await one.query('CREATE TABLE obstacle (id int PRIMARY KEY)');
  await eventually(failing).toMatchObject({ error: 'relation "obstacle" already exists' });
  await two.query('DROP TABLE obstacle');
  await two.query('SELECT kluster.retry_ddl()');
  await eventually(failing).toBeUndefined();
  expect(await first(two, 'SELECT count(*)::int FROM obstacle')).toBe(0);

  await one.query('CREATE TABLE clash (id int PRIMARY KEY)');
  await one.query('CREATE TABLE after_clash (id int)');
  await eventually(failing).toMatchObject({ database: 'postgres', error: 'relation "clash" already exists' });
  const id = await first(two, 'SELECT op_id FROM kluster.ddl_failure()');
  await expect(two.query('SELECT kluster.skip_ddl($1::bigint + 1, $2)', [id, 'x'])).rejects.toThrow(
    'does not fail on this compute node',
  );
  await two.query('SET ROLE visitor');
  await expect(two.query('SELECT kluster.skip_ddl($1, $2)', [id, 'x'])).rejects.toThrow('permission denied');
  await two.query('RESET ROLE');
  await two.query('SELECT kluster.skip_ddl($1, $2)', [id, 'it was made by hand']);
  await eventually(failing).toBeUndefined();
  // What comes after it is applied next.
  await eventually(() => first(two, "SELECT to_regclass('after_clash')::text")).toBe('after_clash');
  expect((await two.query('SELECT op_id, error, reason, skipped_by FROM kluster.ddl_skipped')).rows).toEqual([
    {
      op_id: id,
      error: 'relation "clash" already exists',
      reason: 'it was made by hand',
      skipped_by: 'postgres',
    },
  ]);
  await one.query('RESET kluster.ddl_follow_timeout');
  await one.query('DROP TABLE obstacle, clash, after_clash');
});

/** Until a session waits for a lock of another one. */
async function someoneWaits(server: number | 'metadata' = 'metadata'): Promise<void> {
  const question = 'SELECT 1 FROM performance_schema.data_lock_waits';
  while ((await rowsAt(node, server, question)).length === 0) await sleep(20);
}

test('what another compute node stores while linked tables are truncated refers to nothing that is gone', async () => {
  await one.query('CREATE TABLE emptied (id int PRIMARY KEY) WITH (shard = 1)');
  await one.query('CREATE TABLE linked (e int REFERENCES emptied)');
  await one.query('INSERT INTO emptied VALUES (1), (7)');
  const [two, three] = [await other.session(), await other.session()];
  await two.query('BEGIN; SELECT id FROM emptied WHERE id = 1 FOR UPDATE');
  // It has emptied the one, and waits for a row of the other.
  const truncated = one.query('TRUNCATE linked, emptied');
  await someoneWaits(1);
  await three.query('INSERT INTO linked VALUES (7)');
  await two.query('ROLLBACK');
  await truncated;
  expect(
    await first(one, 'SELECT ((SELECT count(*) FROM emptied) + (SELECT count(*) FROM linked))::int'),
  ).toBe(0);
  await expect(three.query('INSERT INTO linked VALUES (7)')).rejects.toThrow(
    'insert or update on table "linked" violates foreign key constraint "linked_e_fkey"',
  );
  await two.query('DROP TABLE emptied, linked');
});

/** Sends the statement to a backend of the first compute node that kills itself at that point, and waits for the restart. */
async function dieAt(point: string, statement: string): Promise<Client> {
  const [victim, witness] = [await node.session(), await node.session()];
  // The server ends all sessions when it sees that a backend was killed; before that it still takes new ones.
  const restarting = new Promise((resolve) => {
    witness.once('end', resolve);
  });
  await victim.query(`SET kluster.fault_point = '${point}'`);
  await expect(victim.query(statement)).rejects.toThrow();
  await restarting;
  for (const deadline = performance.now() + 60_000; ; await sleep(100)) {
    try {
      const session = await node.session();
      await session.query('SELECT 1');
      return session;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

test.each([
  ['ddl_intent', false],
  ['ddl_shard', false],
  ['ddl_before_log', false],
  ['ddl_after_log', true],
  ['ddl_before_finish', true],
])('killed at %s, a definition has happened everywhere or nowhere', async (point, happens) => {
  const before = await node.session();
  await before.query('CREATE TABLE doomed (id int PRIMARY KEY)');
  await before.query('CREATE TABLE holder (d int REFERENCES doomed)');
  await dieAt(point, 'DROP TABLE doomed CASCADE');
  const after = await dieAt(point, 'CREATE TABLE made (id int PRIMARY KEY, up int REFERENCES made)');
  await after.query('CREATE TABLE afterwards (id int)');
  const question = "SELECT relname FROM pg_class WHERE relname IN ('doomed', 'made') ORDER BY 1";
  const answer = [{ relname: happens ? 'made' : 'doomed' }];
  const two = await other.session();
  expect((await after.query(question)).rows).toEqual(answer);
  expect((await two.query(question)).rows).toEqual(answer);
  const tables = (await tablesAtShards(node)).map((name) => name.replace(/^.*\./, ''));
  expect(tables.sort()).toEqual(
    ['afterwards', 'before_it_came', happens ? 'made' : 'doomed', 'holder'].sort(),
  );
  expect(await misplacedTables(node, two)).toEqual([]);
  expect(await openIntents(node)).toBe(0);
  await after.query(`DROP TABLE afterwards, holder, ${happens ? 'made' : 'doomed'}`);
});

/** Work at the metadata server in a session that commits only when told to. */
async function inTheWay(work: (session: SqlSession) => Promise<void>): Promise<void> {
  const { metadata, account } = node.topology;
  if (metadata === null) throw new Error('no metadata server');
  const address = { hostaddr: metadata.host, port: metadata.port, ...account };
  await rowsAt(node, 'metadata', 'SET GLOBAL innodb_lock_wait_timeout = 1');
  try {
    await withMysql(address, AbortSignal.timeout(60_000), async (session) => {
      await session.query(`USE \`${metadata.database}\``);
      await session.query('START TRANSACTION');
      await work(session);
      await session.query('COMMIT');
    });
  } finally {
    await rowsAt(node, 'metadata', 'SET GLOBAL innodb_lock_wait_timeout = DEFAULT');
  }
}

test('a definition that cannot have a lock of the metadata server in time is tried again', async () => {
  const session = await node.session();
  let made: Promise<unknown> | undefined;
  await inTheWay(async (blocker) => {
    // Nobody can append behind the last row now.
    await blocker.rows(`SELECT id FROM ${definitionLogTable(node.topology.cluster_name)} FOR UPDATE`, []);
    made = session.query('CREATE TABLE patient (id int PRIMARY KEY)');
    await someoneWaits();
    // Longer than the server lets anybody wait.
    await sleep(2500);
  });
  await made;
  expect((await loggedSources(node)).filter((source) => source.includes('TABLE patient'))).toHaveLength(1);
  const two = await other.session();
  await two.query('INSERT INTO patient VALUES (1); DROP TABLE patient');
  expect(await openIntents(node)).toBe(0);
});

test('a definition that the metadata server ends as the victim of a deadlock is tried again', async () => {
  const session = await node.session();
  await rowsAt(node, 'metadata', 'CREATE TABLE weight (id int AUTO_INCREMENT PRIMARY KEY)');
  await session.query("SET kluster.fault_point = 'ddl_before_log:pause'");
  const made = session.query('CREATE TABLE victim (id int PRIMARY KEY)');
  while ((await openIntents(node)) === 0) await sleep(20);
  await inTheWay(async (blocker) => {
    // The one that has changed less is ended.
    await blocker.query(
      `INSERT INTO weight VALUES ${Array.from({ length: 500 }, () => '(NULL)').join(', ')}`,
    );
    await blocker.rows('SELECT id FROM kluster_ddl_intents FOR UPDATE', []);
    await someoneWaits();
    await blocker.rows(`SELECT id FROM ${definitionLogTable(node.topology.cluster_name)} FOR UPDATE`, []);
  });
  await made;
  const [status] = await rowsAt(
    node,
    'metadata',
    "SELECT count FROM information_schema.INNODB_METRICS WHERE name = 'lock_deadlocks'",
  );
  expect(Number(status?.['count'])).toBeGreaterThan(0);
  expect((await loggedSources(node)).filter((source) => source.includes('TABLE victim'))).toHaveLength(1);
  const two = await other.session();
  await two.query('INSERT INTO victim VALUES (1); DROP TABLE victim');
  expect(await openIntents(node)).toBe(0);
  await rowsAt(node, 'metadata', 'DROP TABLE weight');
});

test('the first definitions and values ever, in several databases of both compute nodes at once', async () => {
  const databases = ['first_a', 'first_b', 'first_c'];
  const administrator = await node.session();
  for (const name of databases) await administrator.query(`CREATE DATABASE ${name}`);
  for (let round = 0; round < 3; round += 1) {
    const name = `n_${String(round)}`;
    const open = databases.flatMap((database) => [
      node.session(database),
      node.session(database),
      other.session({ database }),
      other.session({ database }),
    ]);
    const sessions = await Promise.all(open);
    for (const database of databases) await (await node.session(database)).query(`CREATE SEQUENCE ${name}`);
    // As at the very beginning: whoever needs the tables first makes them, definitions with a lock and values without.
    await rowsAt(
      node,
      'metadata',
      'DROP TABLE IF EXISTS kluster_ddl_intents, kluster_ddl_progress, kluster_shared_sequences',
    );
    const work = sessions.map(async (session, number) => {
      if (number % 2 === 0) return first(session, `SELECT nextval('${name}')::int`);
      const table = `t_${String(round)}_${String(number)}`;
      await session.query(`CREATE TABLE ${table} (id serial PRIMARY KEY, v int)`);
      return first(session, `INSERT INTO ${table} (v) VALUES (1) RETURNING id`);
    });
    const given = await Promise.all(work);
    expect(given.filter((_, number) => number % 2 === 1)).toEqual(databases.flatMap(() => [1, 1]));
    const drawn = given.filter((_, number) => number % 2 === 0);
    expect(drawn.map(Number).sort((a, b) => a - b)).toEqual([1, 1, 1, 101, 101, 101]);
    await Promise.all(sessions.map((session) => session.end()));
  }
  for (const name of databases) await administrator.query(`DROP DATABASE ${name} WITH (FORCE)`);
});
