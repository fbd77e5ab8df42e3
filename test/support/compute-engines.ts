import { mkdir, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { ClusterLogs } from '../../src/catalog/cluster-logs.ts';
import { computeNodeId } from '../../src/core/ids.ts';
import { engineUser, findPostgres } from '../../src/engines/installation.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import { applyTopology, type ComputeTopology } from '../../src/engines/postgres/topology.ts';
import type { SqlAddress } from '../../src/engines/sql.ts';
import { startMetadataServer, type MetadataServer } from './metadata-server.ts';
import { startPostgresIn, type PostgresServer, type PostgresServerSettings } from './postgres-process.ts';
import { sanitizerEnvironment } from './sanitizer.ts';

const account = { user: 'compute', password: 'Compute-1-test' };
const clusterName = 'cluster_1_000001';
const hostaddr = '127.0.0.1';

/** A compute node over two shards, without a manager: real engines, told by hand where they are. */
export interface ComputeEngines {
  readonly address: SqlAddress;
  readonly topology: ComputeTopology;
  readonly shards: readonly MetadataServer[];
  readonly postgres: PostgresServer;
  stop(): Promise<void>;
}

/** The extension has to be in that PostgreSQL: `npm run setup` puts it there; a developer names a private copy. */
export async function postgresWithExtension() {
  const directory = process.env['KLUSTER_TEST_POSTGRES'];
  return findPostgres(directory === undefined ? {} : { directory });
}

/** How a PostgreSQL with the extension is started. */
export async function computeNodeSettings(
  parameters: readonly string[] = [],
): Promise<PostgresServerSettings> {
  return {
    installation: await postgresWithExtension(),
    parameters: ['shared_preload_libraries=kluster', ...parameters],
    environment: sanitizerEnvironment(process.env),
  };
}

async function addAccount(server: MetadataServer): Promise<void> {
  const { port, user, password } = server.options('mysql');
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

interface Servers {
  readonly metadata: MetadataServer;
  readonly shards: readonly MetadataServer[];
  readonly postgres: PostgresServer;
}

function topologyOf({ metadata, shards, postgres }: Servers, database: string): ComputeTopology {
  return {
    generation: 1,
    cluster_id: 1,
    cluster_name: clusterName,
    comp_id: 1,
    comp_name: 'comp1',
    metadata: { host: metadata.hostaddr, port: metadata.port, ...account, database },
    account,
    shards: shards.map((shard, index) => ({
      id: index + 1,
      name: `shard_${String(index + 1)}`,
      nodes: [{ id: index + 1, host: shard.hostaddr, port: shard.port, primary: true }],
    })),
    comps: [{ id: 1, name: 'comp1', host: hostaddr, port: postgres.address.port }],
  };
}

async function addExtension({ port, user, password }: SqlAddress): Promise<void> {
  for (const database of ['template1', 'postgres']) {
    const client = new Client({ host: hostaddr, port, user, password, database });
    await client.connect();
    await client.query('CREATE EXTENSION kluster');
    await client.end();
  }
}

type Cleanup = () => Promise<void>;

async function start(
  directory: string,
  compute: { readonly port: number; readonly parameters: readonly string[] },
  cleanups: Cleanup[],
): Promise<Servers> {
  const owned = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    cleanups.push(() => started.stop());
    return started;
  };
  const metadata = await owned(startMetadataServer());
  const shards = [await owned(startMetadataServer()), await owned(startMetadataServer())];
  const [owner, settings] = await Promise.all([engineUser(), computeNodeSettings(compute.parameters)]);
  const home = join(directory, 'compute');
  await mkdir(home);
  await chown(home, owner.uid, owner.gid);
  const postgres = await owned(startPostgresIn(home, { hostaddr, port: compute.port }, settings));
  return { metadata, shards, postgres };
}

/** In a directory that engines can pass through; PostgreSQL listens at that port of 127.0.0.1. Whoever starts it stops it. */
export async function startComputeEngines(
  directory: string,
  port: number,
  parameters: readonly string[] = [],
): Promise<ComputeEngines> {
  const cleanups: Cleanup[] = [];
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  };
  try {
    const servers = await start(directory, { port, parameters }, cleanups);
    await Promise.all([servers.metadata, ...servers.shards].map(addAccount));
    const topology = topologyOf(servers, await makeLogs(servers.metadata));
    const { address } = servers.postgres;
    await addExtension(address);
    await withPostgres(address, AbortSignal.timeout(30_000), (session) => applyTopology(session, topology));
    return { address, topology, shards: servers.shards, postgres: servers.postgres, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
