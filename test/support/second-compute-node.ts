import { Client } from 'pg';
import { afterAll, onTestFinished } from 'vitest';
import { commitLogTable, definitionLogTable } from '../../src/catalog/cluster-logs.ts';
import { findPostgres } from '../../src/engines/installation.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import { applyTopology } from '../../src/engines/postgres/topology.ts';
import type { SqlAddress, SqlRow } from '../../src/engines/sql.ts';
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
  const directory = process.env['KLUSTER_TEST_POSTGRES'];
  const installation = await findPostgres(directory === undefined ? {} : { directory });
  const server = await startPostgresServer('127.0.0.1', port, {
    installation,
    parameters: ['shared_preload_libraries=kluster'],
  });
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

/** What is under way or was left behind. */
export async function openIntents(node: ComputeNode): Promise<number> {
  return (await rowsAt(node, 'metadata', 'SELECT id FROM kluster_ddl_intents')).length;
}

export async function loggedSources(node: ComputeNode): Promise<string[]> {
  const table = definitionLogTable(node.topology.cluster_name);
  const rows = await rowsAt(node, 'metadata', `SELECT sql_src FROM \`${table}\` ORDER BY id`);
  return rows.map((row) => String(row['sql_src']));
}
