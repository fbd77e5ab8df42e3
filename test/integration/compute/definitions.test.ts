import type { Client } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { startComputeNode, type ComputeNode } from '../../support/compute-node.ts';
import {
  loggedSources,
  misplacedTables,
  openIntents,
  rowsAt,
  tablesAtShards,
} from '../../support/second-compute-node.ts';

let node: ComputeNode;
let sql: Client;

beforeAll(async () => {
  node = await startComputeNode(15_601);
  sql = await node.session();
});

const failure = (statement: string): Promise<string> =>
  sql.query(statement).then(
    () => 'no error',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

const detailOf = (statement: string): Promise<unknown> =>
  sql.query(statement).then(
    () => 'no error',
    (error: unknown) => Reflect.get(Object(error), 'detail'),
  );

const column = async (statement: string): Promise<unknown[]> =>
  (await sql.query({ text: statement, rowMode: 'array' })).rows.map((row: unknown[]) => row[0]);

test('a table is made on the shard that it names, on all, or where there are fewest', async () => {
  await sql.query('CREATE TABLE here (id int PRIMARY KEY) WITH (shard = 2)');
  await sql.query('CREATE TABLE everywhere (id int PRIMARY KEY) WITH (shard = all)');
  await sql.query('CREATE TABLE somewhere (id int)');
  expect(await tablesAtShards(node)).toEqual([
    '1:postgres_$$_public.everywhere',
    '1:postgres_$$_public.somewhere',
    '2:postgres_$$_public.everywhere',
    '2:postgres_$$_public.here',
  ]);
  await sql.query('DROP TABLE here, everywhere, somewhere');
  await sql.query('SET kluster.default_shard = 2; CREATE TABLE there (id int); CREATE TABLE too (id int)');
  expect(await tablesAtShards(node)).toEqual(['2:postgres_$$_public.there', '2:postgres_$$_public.too']);
  await sql.query('RESET kluster.default_shard; DROP TABLE there, too');
  expect(await tablesAtShards(node)).toEqual([]);
});

test('keys and indexes are where drivers and psql look for them', async () => {
  await sql.query('CREATE TABLE keyed (a int, b text, c int UNIQUE, PRIMARY KEY (a, b))');
  await sql.query('CREATE INDEX keyed_c ON keyed (c DESC)');
  expect(
    await column(`SELECT indexdef FROM (SELECT pg_get_indexdef(indexrelid) AS indexdef FROM pg_index
                    WHERE indrelid = 'keyed'::regclass) AS i ORDER BY 1`),
  ).toEqual([
    'CREATE INDEX keyed_c ON ONLY public.keyed USING btree (c DESC)',
    'CREATE UNIQUE INDEX keyed_c_key ON ONLY public.keyed USING btree (c)',
    'CREATE UNIQUE INDEX keyed_pkey ON ONLY public.keyed USING btree (a, b)',
  ]);
  // What JDBC's getPrimaryKeys asks.
  expect(
    await column(`SELECT a.attname FROM (
        SELECT i.indrelid, (information_schema._pg_expandarray(i.indkey)).* FROM pg_index i
         WHERE i.indisprimary AND i.indrelid = 'keyed'::regclass) AS k
      JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.x ORDER BY k.n`),
  ).toEqual(['a', 'b']);
  expect(
    await column(
      "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'keyed'::regclass ORDER BY 1",
    ),
  ).toEqual(['PRIMARY KEY (a, b)', 'UNIQUE (c)']);
  await sql.query("INSERT INTO keyed VALUES (1, 'x', 1)");
  expect(await failure("INSERT INTO keyed VALUES (2, 'y', 1)")).toMatch(/Duplicate|duplicate/);
  expect(await column('SELECT max(c) FROM keyed GROUP BY a, b')).toEqual([1]);
  await sql.query('DROP INDEX keyed_c');
  await sql.query('ALTER TABLE keyed DROP CONSTRAINT keyed_c_key');
  await sql.query("INSERT INTO keyed VALUES (2, 'y', 1)");
  await sql.query('DROP TABLE keyed');
});

test.for<readonly string[]>([
  ['ALTER TABLE made ADD COLUMN b int'],
  ['ALTER TABLE made ADD CONSTRAINT once UNIQUE (a)', 'ALTER TABLE made ADD COLUMN b int'],
  ['ALTER TABLE made DROP COLUMN a', 'ALTER TABLE made ADD COLUMN b int'],
  ['ALTER TABLE made DROP COLUMN a', 'ALTER TABLE made RENAME TO named'],
  ['ALTER TABLE made DROP COLUMN a', 'ALTER TABLE made RENAME TO named', 'CREATE TABLE made (a int)'],
  ['ALTER TABLE made DROP COLUMN a', 'DROP TABLE made', 'CREATE TABLE made (a int)'],
  ['SAVEPOINT s', 'DROP TABLE made', 'SAVEPOINT t', 'CREATE TABLE made (c int)', 'ROLLBACK TO SAVEPOINT t'],
  ['CREATE INDEX made_a ON made (a)', 'ALTER TABLE made RENAME TO named', 'ALTER TABLE named RENAME TO made'],
  ['ALTER TABLE made ADD COLUMN b int', 'DROP TABLE made', 'CREATE TABLE made (c int)'],
  [
    'ALTER TABLE made ADD CONSTRAINT up FOREIGN KEY (a) REFERENCES made',
    'ALTER TABLE made DROP CONSTRAINT up',
  ],
  ['ALTER TABLE made ADD COLUMN b int REFERENCES made', 'ALTER TABLE made DROP COLUMN id CASCADE'],
  [
    'CREATE TABLE named (a int CONSTRAINT up REFERENCES made)',
    'DROP TABLE named',
    'CREATE TABLE named (a int CONSTRAINT up REFERENCES made)',
    'CREATE INDEX ON named (a)',
    'ALTER TABLE made RENAME COLUMN id TO ident',
  ],
  ['CREATE TABLE named (a int REFERENCES made)', 'DROP TABLE made CASCADE', 'CREATE TABLE made (c int)'],
])('several changes of a table in one transaction are undone or kept together: %#', async (changes) => {
  for (const ending of ['ROLLBACK', 'ROLLBACK TO SAVEPOINT empty; COMMIT', 'COMMIT']) {
    await sql.query('BEGIN; SAVEPOINT empty; CREATE TABLE made (id int PRIMARY KEY, a int)');
    for (const change of changes) await sql.query(change);
    await sql.query(ending);
    expect(await misplacedTables(node, sql), ending).toEqual([]);
    expect(await openIntents(node)).toBe(0);
  }
  await sql.query('DROP TABLE IF EXISTS made, named');

  await sql.query('CREATE TABLE made (id int PRIMARY KEY, a int)');
  for (const ending of ['ROLLBACK', 'COMMIT']) {
    await sql.query('BEGIN');
    for (const change of changes) await sql.query(change);
    await sql.query(ending);
    expect(await misplacedTables(node, sql), ending).toEqual([]);
  }
  await sql.query('DROP TABLE IF EXISTS made, named');
  expect(await tablesAtShards(node)).toEqual([]);
});

test('ALTER TABLE changes the table on the shard as PostgreSQL would', async () => {
  await sql.query('CREATE TABLE changing (id int PRIMARY KEY, name varchar(10))');
  await sql.query("INSERT INTO changing VALUES (1, 'one')");
  await sql.query(
    'ALTER TABLE changing ADD COLUMN active boolean NOT NULL DEFAULT true, ADD COLUMN note text',
  );
  await sql.query('ALTER TABLE changing RENAME COLUMN name TO title');
  await sql.query('ALTER TABLE changing ALTER COLUMN title TYPE text, ALTER COLUMN id TYPE bigint');
  await sql.query('ALTER TABLE changing ADD CONSTRAINT positive CHECK (id > 0)');
  expect(await failure('ALTER TABLE changing ALTER COLUMN note SET NOT NULL')).toBe(
    'column "note" of relation "changing" contains null values',
  );
  expect(await failure('ALTER TABLE changing ADD CONSTRAINT big CHECK (id > 10)')).toBe(
    'check constraint "big" of relation "changing" is violated by some row',
  );
  expect(await failure("INSERT INTO changing VALUES (-1, 'x')")).toMatch(
    /violates check constraint "positive"/,
  );
  await sql.query('ALTER TABLE changing RENAME TO changed');
  await sql.query('CREATE SCHEMA other');
  await sql.query('ALTER TABLE changed SET SCHEMA other');
  await sql.query('ALTER TABLE other.changed DROP COLUMN note');
  expect((await sql.query('SELECT * FROM other.changed')).rows).toEqual([
    { id: '1', title: 'one', active: true },
  ]);
  expect(await tablesAtShards(node)).toEqual(['1:postgres_$$_other.changed']);
  await sql.query('DROP SCHEMA other CASCADE');
  expect(await tablesAtShards(node)).toEqual([]);
});

test('what a shard cannot hold is refused by name, before anything is changed', async () => {
  await sql.query('CREATE TABLE target (id int PRIMARY KEY, t text)');
  const logged = await loggedSources(node);
  const refused = [
    ['CREATE TABLE bad (id int, EXCLUDE USING btree (id WITH =))', 'exclusion constraints'],
    ['CREATE TABLE bad () INHERITS (target)', 'INHERITS'],
    ['CREATE TABLE bad (id int) WITH (shard = 99)', 'shard'],
    ['CREATE TABLE bad (id int) WITH (shard = all)', 'primary key'],
    ['CREATE TABLE bad (id int) WITH (colour = red)', 'colour'],
    ['CREATE TABLE "bad🎉" (id int)', 'U+FFFF', 'detail'],
    ['CREATE TABLE bad ("bad " int)', 'white space', 'detail'],
    ['CREATE TABLE bad (a int, "A" int)', 'upper and lower case', 'detail'],
    ['CREATE INDEX ON target (lower(t))', 'expression'],
    ['CREATE INDEX ON target (id) WHERE id > 1', 'partial'],
    ['CREATE INDEX ON target USING gin (t)', 'gin'],
    ['ALTER TABLE target ALTER COLUMN t TYPE int USING length(t)', 'USING'],
    ['ALTER TABLE target ALTER COLUMN t TYPE int USING t::int', 'type of column "t"'],
    ['ALTER DATABASE postgres RENAME TO other', 'renamed'],
  ] as const;
  for (const [statement, reason, detail] of refused) {
    const answer = detail === undefined ? failure(statement) : detailOf(statement);
    expect(await answer, statement).toContain(reason);
  }
  expect(await loggedSources(node)).toEqual(logged);
  expect(await tablesAtShards(node)).toEqual(['1:postgres_$$_public.target']);
  await sql.query('DROP TABLE target');
});

test('foreign keys that a shard cannot enforce are refused by name, before anything is changed', async () => {
  await sql.query(`CREATE TABLE target (id int PRIMARY KEY, b bigint, t text UNIQUE, f real UNIQUE) WITH (shard = 1);
    CREATE TABLE mirrored (id int PRIMARY KEY) WITH (shard = all); CREATE TABLE elsewhere (id int PRIMARY KEY) WITH (shard = 2);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE linked (id int PRIMARY KEY, t int REFERENCES target)`);
  const logged = await loggedSources(node);
  const tables = await tablesAtShards(node);
  const refused = [
    ['CREATE TABLE bad (id int REFERENCES target) WITH (shard = 2)', 'on different shards'],
    ['ALTER TABLE elsewhere ADD FOREIGN KEY (id) REFERENCES target', 'on different shards'],
    ['CREATE TABLE bad (id int REFERENCES mirrored)', 'is mirrored'],
    ['ALTER TABLE mirrored ADD FOREIGN KEY (id) REFERENCES target', 'is mirrored'],
    ['CREATE TABLE bad (id int REFERENCES parted)', 'is partitioned'],
    ['CREATE TABLE bad (id int REFERENCES target) PARTITION BY LIST (id)', 'of partitioned tables'],
    ['ALTER TABLE parted ADD FOREIGN KEY (id) REFERENCES target', 'is partitioned'],
    ['ALTER TABLE parted ATTACH PARTITION linked FOR VALUES IN (1)', 'cannot become a partition'],
    ['CREATE TABLE bad (id int REFERENCES target DEFERRABLE)', 'DEFERRABLE'],
    ['ALTER TABLE target ADD COLUMN up int REFERENCES target DEFERRABLE INITIALLY DEFERRED', 'DEFERRABLE'],
    ['CREATE TABLE bad (id int REFERENCES target MATCH FULL)', 'MATCH FULL'],
    ['CREATE TABLE bad (id int REFERENCES target ON DELETE SET DEFAULT)', 'SET DEFAULT'],
    ['CREATE TABLE bad (a int, FOREIGN KEY (a) REFERENCES target ON DELETE SET NULL (a))', 'list of columns'],
    ['ALTER TABLE target ADD FOREIGN KEY (id) REFERENCES target NOT VALID', 'NOT VALID'],
    ['CREATE TABLE bad (a bigint REFERENCES target)', 'bigint and int'],
    ['CREATE TABLE bad (a real REFERENCES target (f))', 'type real'],
    ['CREATE TABLE bad (a int NOT NULL REFERENCES target ON DELETE SET NULL)', 'it cannot be NULL'],
    ['CREATE TABLE bad (a int REFERENCES target ON UPDATE CASCADE CHECK (a > 0))', 'a CHECK constraint'],
    [
      'CREATE TABLE bad (a int REFERENCES target ON UPDATE CASCADE, g int GENERATED ALWAYS AS (a + 1) STORED)',
      'generated',
    ],
    ['CREATE TABLE bad (id int PRIMARY KEY, up int REFERENCES bad ON UPDATE CASCADE)', 'within one table'],
    ['ALTER TABLE linked ALTER COLUMN t TYPE bigint', 'belongs to a foreign key'],
    ['ALTER TABLE target ALTER COLUMN id TYPE bigint', 'belongs to a foreign key'],
    ["ALTER FOREIGN TABLE linked OPTIONS (SET shard '2')", 'foreign keys link it'],
  ] as const;
  for (const [statement, reason] of refused) expect(await failure(statement), statement).toContain(reason);
  expect(await loggedSources(node)).toEqual(logged);
  expect(await tablesAtShards(node)).toEqual(tables);
  await sql.query('DROP TABLE target, mirrored, elsewhere, parted, linked');
});

test('a table goes to the shard of the one that it refers to, with one index for each foreign key', async () => {
  await sql.query('CREATE TABLE far (id int PRIMARY KEY) WITH (shard = 2)');
  await sql.query(
    'CREATE TABLE child (id int PRIMARY KEY, far int, CONSTRAINT far FOREIGN KEY (far) REFERENCES far)',
  );
  const indexes = async (): Promise<number> =>
    (await rowsAt(node, 2, "SHOW KEYS FROM `postgres_$$_public`.child WHERE Column_name = 'far'")).length;
  expect(await indexes()).toBe(1);
  await sql.query('CREATE INDEX child_far ON child (far)');
  expect(await indexes()).toBe(1);
  await sql.query('DROP INDEX child_far');
  expect(await indexes()).toBe(1);
  await sql.query('ALTER TABLE child DROP CONSTRAINT far');
  expect(await indexes()).toBe(0);
  await sql.query('SET kluster.deferrable_at_once = on');
  await sql.query(
    'ALTER TABLE child ADD CONSTRAINT far FOREIGN KEY (far) REFERENCES far DEFERRABLE INITIALLY DEFERRED',
  );
  await sql.query('SET CONSTRAINTS far IMMEDIATE; RESET kluster.deferrable_at_once');
  expect(await failure('INSERT INTO child VALUES (1, 1)')).toContain('violates foreign key constraint "far"');
  expect(await misplacedTables(node, sql)).toEqual([]);
  await sql.query('DROP TABLE far, child');
});

test('partitions are placed on shards, and carry the keys of their parent', async () => {
  await sql.query('CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)');
  await sql.query('CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100) WITH (shard = 1)');
  await sql.query(
    'CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200) WITH (shard = 2)',
  );
  await sql.query('CREATE TABLE parted_rest PARTITION OF parted DEFAULT');
  await sql.query("INSERT INTO parted SELECT g, 'v' FROM generate_series(1, 250) AS g");
  expect(await column('SELECT count(*)::int FROM parted GROUP BY tableoid ORDER BY 1')).toEqual([
    51, 99, 100,
  ]);
  expect(await failure('CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (200) TO (300)')).toBe(
    'updated partition constraint for default partition "parted_rest" would be violated by some row',
  );
  expect(await failure('CREATE UNIQUE INDEX ON parted (v)')).toContain(
    'must include all partitioning columns',
  );
  await sql.query('CREATE INDEX parted_v ON parted (v)');
  await sql.query('ALTER TABLE parted DETACH PARTITION parted_2');
  await sql.query('ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (100) TO (200)');
  const keys = await rowsAt(node, 2, 'SHOW KEYS FROM `postgres_$$_public`.parted_2');
  expect(keys.map((key) => key['Column_name'])).toEqual(['id', 'v']);
  await sql.query('DROP TABLE parted');
  expect(await tablesAtShards(node)).toEqual([]);
});

test('definitions take part in transactions', async () => {
  await sql.query('CREATE TABLE kept (id int PRIMARY KEY)');
  await sql.query('INSERT INTO kept VALUES (1)');
  await sql.query('BEGIN; DROP TABLE kept; CREATE TABLE kept (other text) WITH (shard = 1); ROLLBACK');
  expect(await column('SELECT id FROM kept')).toEqual([1]);
  await sql.query('BEGIN; CREATE TABLE gone (id int); INSERT INTO gone VALUES (1); ROLLBACK');
  await sql.query(
    'BEGIN; SAVEPOINT s; CREATE TABLE again (id int); ROLLBACK TO s; CREATE TABLE again (id text); COMMIT',
  );
  await sql.query('BEGIN; DROP TABLE kept; CREATE TABLE kept (other text) WITH (shard = 1); COMMIT');
  await sql.query(
    'BEGIN; CREATE TABLE filled (id int) WITH (shard = 1); INSERT INTO filled VALUES (7); COMMIT',
  );
  // What others do in the schema meanwhile is in nobody's way.
  const other = await node.session();
  await other.query('BEGIN; INSERT INTO filled VALUES (9)');
  await sql.query("SET kluster.ddl_lock_timeout = '5s'");
  await sql.query(
    'BEGIN; INSERT INTO filled VALUES (10); CREATE TABLE beside (id int) WITH (shard = 1); ROLLBACK',
  );
  await sql.query('RESET kluster.ddl_lock_timeout');
  await other.query('ROLLBACK');
  expect(await column('SELECT id FROM filled')).toEqual([7]);
  await sql.query('BEGIN; INSERT INTO filled VALUES (8)');
  expect(await failure('ALTER TABLE filled ADD COLUMN x int')).toContain('in the same transaction');
  await sql.query('ROLLBACK');
  const tables = (await tablesAtShards(node)).map((name) => name.replace(/^.*\./, ''));
  expect(tables.sort()).toEqual(['again', 'filled', 'kept']);
  expect(await openIntents(node)).toBe(0);
  await sql.query('DROP TABLE kept, again, filled');
});

test('LIKE, AS and INTO make sharded tables too, temporary tables stay here', async () => {
  await sql.query('CREATE TABLE model (id int PRIMARY KEY, v text NOT NULL DEFAULT $$x$$)');
  await sql.query('CREATE TABLE copy (LIKE model INCLUDING ALL)');
  await sql.query('INSERT INTO copy (id) VALUES (1)');
  await sql.query('CREATE TABLE filled AS SELECT g AS id, g::text AS v FROM generate_series(1, 1000) AS g');
  await sql.query('SELECT * INTO taken FROM filled WHERE id <= 10');
  await sql.query('CREATE TEMPORARY TABLE mine (id int PRIMARY KEY)');
  await sql.query('INSERT INTO mine VALUES (1)');
  expect(await column('SELECT v FROM copy')).toEqual(['x']);
  expect(await column('SELECT count(*)::int FROM filled')).toEqual([1000]);
  expect(await column('SELECT count(*)::int FROM taken')).toEqual([10]);
  expect((await tablesAtShards(node)).length).toBe(4);
  await sql.query('DROP TABLE mine');
  await sql.query('DROP TABLE model, copy, filled, taken');
});

test('dropping a database drops its tables on the shards', async () => {
  await sql.query('CREATE DATABASE shortlived');
  const inside = await node.session('shortlived');
  await inside.query('CREATE TABLE t (id int PRIMARY KEY)');
  await inside.end();
  expect(await tablesAtShards(node)).toHaveLength(1);
  await sql.query('DROP DATABASE shortlived');
  expect(await tablesAtShards(node)).toEqual([]);
});

test('TRUNCATE empties the table, and is undone by ROLLBACK', async () => {
  await sql.query('CREATE TABLE emptied (id serial PRIMARY KEY, v int)');
  await sql.query('INSERT INTO emptied (v) VALUES (1), (2)');
  await sql.query('BEGIN; TRUNCATE emptied; ROLLBACK');
  expect(await column('SELECT count(*)::int FROM emptied')).toEqual([2]);
  await sql.query('TRUNCATE emptied RESTART IDENTITY');
  expect(await column('INSERT INTO emptied (v) VALUES (3) RETURNING id')).toEqual([1]);
  await sql.query('DROP TABLE emptied');
});

test('passwords do not reach the log', async () => {
  await sql.query("CREATE ROLE guarded LOGIN PASSWORD 'very-secret-word'");
  const [entry] = (await loggedSources(node)).slice(-1);
  expect(entry).toContain('SCRAM-SHA-256$');
  expect(entry).not.toContain('very-secret-word');
  await sql.query('DROP ROLE guarded');
});
