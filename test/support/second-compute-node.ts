import { Client } from 'pg';
import { afterAll, onTestFinished } from 'vitest';
import { commitLogTable, definitionLogTable } from '../../src/catalog/cluster-logs.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import { applyTopology } from '../../src/engines/postgres/topology.ts';
import type { SqlAddress, SqlRow } from '../../src/engines/sql.ts';
import { computeNodeSettings } from './compute-engines.ts';
import type { ComputeNode } from './compute-node.ts';
import { startPostgresServer } from './postgres-server.ts';

/** Another compute node over the same shards. */
export interface SecondComputeNode {
  readonly address: SqlAddress;
  /** A session that is closed when the test ends; as a superuser in `postgres` unless told otherwise. */
  session(settings?: { database?: string; user?: string; password?: string }): Promise<Client>;
}

const ofThisFile: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const stop of ofThisFile.splice(0).toReversed()) await stop();
});

/** For all tests of one file; `id` is its number in the cluster. It stops after the tests of the file. */
export async function startSecondComputeNode(first: ComputeNode, id: number, port: number) {
  const server = await startPostgresServer('127.0.0.1', port, await computeNodeSettings());
  ofThisFile.push(() => server.stop());
  const { hostaddr, password } = server.address;
  const open = async (database: string, user: string, secret: string): Promise<Client> => {
    const client = new Client({ host: hostaddr, port, user, password: secret, database });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  for (const database of ['template1', 'postgres']) {
    const client = await open(database, 'postgres', password);
    await client.query('CREATE EXTENSION kluster');
    await client.end();
  }
  const log = commitLogTable(first.topology.cluster_name);
  await rowsAt(
    first,
    'metadata',
    `ALTER TABLE \`${log}\` ADD PARTITION (PARTITION p${String(id)} VALUES IN (${String(id)}))`,
  );
  const topology = { ...first.topology, comp_id: id, comp_name: `comp${String(id)}` };
  await withPostgres(server.address, AbortSignal.timeout(30_000), (session) =>
    applyTopology(session, topology),
  );
  const node: SecondComputeNode = {
    address: server.address,
    session: async (settings = {}) => {
      const client = await open(
        settings.database ?? 'postgres',
        settings.user ?? 'postgres',
        settings.password ?? password,
      );
      onTestFinished(() => client.end().catch(() => undefined));
      return client;
    },
  };
  return node;
}

/** The rows of a statement for a shard, or for the metadata server in its database. */
export async function rowsAt(
  node: ComputeNode,
  where: number | 'metadata',
  sql: string,
): Promise<readonly SqlRow[]> {
  const { metadata, account, shards } = node.topology;
  if (metadata === null) throw new Error('the compute node has no metadata server');
  const target = where === 'metadata' ? metadata : shards.find(({ id }) => id === where)?.nodes[0];
  if (target === undefined) throw new Error(`no shard ${String(where)}`);
  const address = { hostaddr: target.host, port: target.port, ...account };
  return withMysql(address, AbortSignal.timeout(30_000), async (session) => {
    if (where === 'metadata') await session.query(`USE \`${metadata.database}\``);
    return session.rows(sql, []);
  });
}

/** The MySQL tables of sharded tables, as `shard:database.table`, ordered. */
export async function tablesAtShards(node: ComputeNode): Promise<string[]> {
  const lists = await Promise.all(
    node.topology.shards.map(async ({ id }) => {
      const rows = await rowsAt(
        node,
        id,
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES WHERE LOCATE('_$$_', TABLE_SCHEMA) > 0",
      );
      return rows.map((row) => `${String(id)}:${String(row['name'])}`);
    }),
  );
  return lists.flat().sort();
}

const listOf = (rows: readonly SqlRow[]): string[] =>
  rows.map((row) => `${String(row['place'])} ${String(row['columns'])}`).sort();

/** The foreign keys that the catalog of a database names, and those at the shards, a line for each of their columns. */
async function foreignKeys(node: ComputeNode, session: Client): Promise<[SqlRow[], SqlRow[]]> {
  const { rows } = await session.query<SqlRow>(
    `SELECT s.id || ':' || d || n.nspname || '.' || c.relname || ' > ' || d || rn.nspname || '.' || r.relname AS place,
            a.attname || ' > ' || ra.attname || ' ' || confdeltype::text || confupdtype::text AS columns
       FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_class r ON r.oid = confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
       JOIN pg_foreign_table f ON f.ftrelid = conrelid JOIN kluster.shards() s ON ftoptions && ARRAY['shard=' || s.id]
      CROSS JOIN LATERAL unnest(conkey, confkey) AS u(own, other) CROSS JOIN (SELECT current_database() || '_$$_') AS x(d)
       JOIN pg_attribute a ON (a.attrelid, a.attnum) = (conrelid, own) JOIN pg_attribute ra ON (ra.attrelid, ra.attnum) = (confrelid, other)
      WHERE contype = 'f'`,
  );
  const rule = (column: string): string =>
    `ELT(FIELD(${column}, 'NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL'), 'a', 'r', 'c', 'n')`;
  const actual = await Promise.all(
    node.topology.shards.map(({ id }) =>
      rowsAt(
        node,
        id,
        `SELECT CONCAT(${String(id)}, ':', k.TABLE_SCHEMA, '.', k.TABLE_NAME, ' > ', REFERENCED_TABLE_SCHEMA, '.', k.REFERENCED_TABLE_NAME) AS place,
                CONCAT(COLUMN_NAME, ' > ', REFERENCED_COLUMN_NAME, ' ', ${rule('DELETE_RULE')}, ${rule('UPDATE_RULE')}) AS columns
           FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
                USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) WHERE LOCATE('_$$_', k.TABLE_SCHEMA) > 0`,
      ),
    ),
  );
  return [rows, actual.flat()];
}

/**
 * Where the MySQL tables of a database are not those that its catalog names, with the same columns in the same order, and the
 * same foreign keys.
 */
export async function misplacedTables(node: ComputeNode, session: Client): Promise<string[]> {
  const [keys, keysFound] = await foreignKeys(node, session);
  const { rows: catalog } = await session.query<SqlRow>(
    `SELECT s.id || ':' || current_database() || '_$$_' || n.nspname || '.' || c.relname AS place,
            (SELECT coalesce(string_agg(attname, ',' ORDER BY attname), '') FROM pg_attribute
              WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
       FROM pg_foreign_table f JOIN pg_class c ON c.oid = f.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN kluster.shards() s ON ftoptions && ARRAY['shard=' || s.id, 'shard=all']`,
  );
  const actual = await Promise.all(
    node.topology.shards.map(({ id }) =>
      rowsAt(
        node,
        id,
        `SELECT CONCAT(${String(id)}, ':', TABLE_SCHEMA, '.', TABLE_NAME) AS place,
                IFNULL(GROUP_CONCAT(IF(COLUMN_NAME = 'kluster_row_id', NULL, COLUMN_NAME) ORDER BY BINARY COLUMN_NAME), '') AS columns
           FROM information_schema.COLUMNS WHERE LOCATE('_$$_', TABLE_SCHEMA) > 0 GROUP BY TABLE_SCHEMA, TABLE_NAME`,
      ),
    ),
  );
  const [named, found] = [listOf([...catalog, ...keys]), listOf([...actual.flat(), ...keysFound])];
  return [
    ...named.filter((table) => !found.includes(table)).map((table) => `not on its shard: ${table}`),
    ...found.filter((table) => !named.includes(table)).map((table) => `nobody's: ${table}`),
  ];
}

/** What is under way or was left behind. */
export async function openIntents(node: ComputeNode): Promise<number> {
  return (await rowsAt(node, 'metadata', 'SELECT id FROM kluster_ddl_intents')).length;
}

export async function loggedSources(node: ComputeNode): Promise<string[]> {
  const table = definitionLogTable(node.topology.cluster_name);
  const rows = await rowsAt(node, 'metadata', `SELECT sql_src FROM \`${table}\` ORDER BY id`);
  return rows.map((row) => String(row['sql_src']));
}
