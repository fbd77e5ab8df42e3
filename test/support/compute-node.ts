import { Client } from 'pg';
import { afterAll, onTestFinished, TestRunner } from 'vitest';
import { ClusterLogs } from '../../src/catalog/cluster-logs.ts';
import { computeNodeId } from '../../src/core/ids.ts';
import { findPostgres } from '../../src/engines/installation.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import { applyTopology, type ComputeTopology } from '../../src/engines/postgres/topology.ts';
import type { SqlAddress } from '../../src/engines/sql.ts';
import { startMetadataServer, type MetadataServer } from './metadata-server.ts';
import { startPostgresServer, type PostgresServer } from './postgres-server.ts';

const account = { user: 'compute', password: 'Compute-1-test' };
const clusterName = 'cluster_1_000001';

/** A compute node over two shards, without a manager: real engines, told by hand where they are. */
export interface ComputeNode {
  readonly address: SqlAddress;
  readonly topology: ComputeTopology;
  readonly shards: readonly MetadataServer[];
  readonly postgres: PostgresServer;
  /** A session in database `postgres`, or another; closed when the test ends, or after the tests of the file. */
  session(database?: string): Promise<Client>;
}

const ofThisFile: (() => Promise<void>)[] = [];

// Registered when a test file imports this module, hence before its own hooks: it runs after them.
afterAll(async () => {
  for (const cleanup of ofThisFile.splice(0).toReversed()) await cleanup();
});

/** The extension has to be in that PostgreSQL: `npm run setup` puts it there; a developer names a private copy. */
async function postgresWithExtension() {
  const directory = process.env['KLUSTER_TEST_POSTGRES'];
  return findPostgres(directory === undefined ? {} : { directory });
}

async function addAccount(server: MetadataServer): Promise<void> {
  const { hostaddr, port, user, password } = server.options('mysql');
  await withMysql({ hostaddr, port, user, password }, AbortSignal.timeout(30_000), async (session) => {
    await session.query(`CREATE USER '${account.user}'@'%' IDENTIFIED BY '${account.password}'`);
    await session.query(`GRANT ALL ON *.* TO '${account.user}'@'%'`);
  });
}

async function makeLogs(metadata: MetadataServer): Promise<string> {
  const database = await metadata.database();
  const logs = new ClusterLogs(database);
  await logs.create(clusterName);
  await logs.addComputeNode(clusterName, computeNodeId(1));
  return metadata.currentDatabase;
}

function sessionsOf({ hostaddr, port, user, password }: SqlAddress) {
  const open: Client[] = [];
  const session = async (database = 'postgres'): Promise<Client> => {
    const client = new Client({ host: hostaddr, port, user, password, database });
    // A server that a test kills breaks its sessions; that is no failure of the test.
    client.on('error', () => undefined);
    await client.connect();
    if (TestRunner.getCurrentTest() === undefined) open.push(client);
    else onTestFinished(() => client.end().catch(() => undefined));
    return client;
  };
  const close = async (): Promise<void> => {
    await Promise.all(open.map((client) => client.end().catch(() => undefined)));
  };
  return { session, close };
}

function topologyOf(
  metadata: MetadataServer,
  database: string,
  shards: readonly MetadataServer[],
  port: number,
): ComputeTopology {
  return {
    generation: 1,
    cluster_id: 1,
    cluster_name: clusterName,
    comp_id: 1,
    comp_name: 'comp1',
    metadata: { host: metadata.hostaddr, port: metadata.port, ...account, database },
    account,
    shards: shards.map(({ hostaddr, port: shardPort }, index) => ({
      id: index + 1,
      name: `shard_${String(index + 1)}`,
      nodes: [{ id: index + 1, host: hostaddr, port: shardPort, primary: true }],
    })),
    comps: [{ id: 1, name: 'comp1', host: '127.0.0.1', port }],
  };
}

async function startEngines(port: number) {
  const owned = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    ofThisFile.push(() => started.stop());
    return started;
  };
  const metadata = await owned(startMetadataServer());
  const shards = [await owned(startMetadataServer()), await owned(startMetadataServer())];
  const installation = await postgresWithExtension();
  const postgres = await owned(
    startPostgresServer('127.0.0.1', port, {
      installation,
      parameters: ['shared_preload_libraries=kluster'],
    }),
  );
  return { metadata, shards, postgres };
}

/** For all tests of one file; `port` is PostgreSQL's on 127.0.0.1. Everything ends after the tests of the file. */
export async function startComputeNode(port: number): Promise<ComputeNode> {
  const { metadata, shards, postgres } = await startEngines(port);
  await Promise.all([metadata, ...shards].map(addAccount));
  const topology = topologyOf(metadata, await makeLogs(metadata), shards, port);
  const { address } = postgres;
  const { hostaddr, user, password } = address;
  for (const database of ['template1', 'postgres']) {
    const client = new Client({ host: hostaddr, port, user, password, database });
    await client.connect();
    await client.query('CREATE EXTENSION kluster');
    await client.end();
  }
  await withPostgres(address, AbortSignal.timeout(30_000), (session) => applyTopology(session, topology));
  const { session, close } = sessionsOf(address);
  ofThisFile.push(close);
  return { address, topology, shards, postgres, session };
}
