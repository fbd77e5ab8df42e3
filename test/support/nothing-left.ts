import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { AgentClient } from '../../src/client/agent.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { numberOf, type SqlSession } from '../../src/engines/sql.ts';
import { metadataDatabaseName } from '../../src/catalog/database.ts';
import type { Home } from '../../src/manager/home.ts';
import { readMetadataCredentials } from '../../src/manager/secrets.ts';
import { readTextFile } from '../../src/manager/json-file.ts';
import type { TestMachine } from './installation.ts';
import { leftProcesses } from './leftovers.ts';

/** What `expectNothingLeft` needs of an installation, whichever way its servers run. */
export interface Inspected {
  readonly home: Home;
  readonly machines: readonly TestMachine[];
}

const agentPort = 35_002;
/** An engine that was just told to end takes a moment to leave /proc. */
const endingMs = 2000;

/** Every table that holds rows of clusters or of jobs that are under way. */
const emptyTables = [
  'db_clusters',
  'shards',
  'shard_nodes',
  'comp_nodes',
  'node_map_master',
  'cluster_shard_topology',
  'rbr_consfailover',
  'kluster_instances',
  'kluster_topology',
  'kluster_topology_applied',
  'kluster_ports',
  'kluster_credentials',
  'kluster_pending_removals',
  'kluster_job_locks',
] as const;

/** A statement on the metadata server, as its administrator. */
export async function onMetadata<T>(
  { home }: Pick<Inspected, 'home'>,
  run: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const credentials = await readMetadataCredentials(home);
  const [at] = credentials?.nodes ?? [];
  if (credentials === undefined || at === undefined) throw new Error('the home has no metadata server');
  const { user, password } = credentials;
  const address = { ...at, user, password, database: metadataDatabaseName };
  return withMysql({ ...address, connectTimeoutMs: 30_000 }, AbortSignal.timeout(60_000), run);
}

/** Rows of a table, each as text that names it. */
async function rowsOf(session: SqlSession, table: (typeof emptyTables)[number]): Promise<string[]> {
  const rows = await session.query(`SELECT * FROM ${table}`);
  return rows.map((row) => `row of ${table}: ${JSON.stringify(row)}`);
}

async function leftInCatalog(session: SqlSession): Promise<string[]> {
  const left: string[] = [];
  for (const table of emptyTables) left.push(...(await rowsOf(session, table)));
  const logs = await session.rows(
    String.raw`SELECT TABLE_NAME AS name FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND (TABLE_NAME LIKE 'commit\_log\_cluster\_%' OR TABLE_NAME LIKE 'ddl\_ops\_log\_cluster\_%')`,
  );
  left.push(...logs.map((row) => `table ${String(row['name'])}`));
  const ports = await session.rows(
    `SELECT hostaddr, machine_type, used_port, installing_port FROM server_nodes
      WHERE used_port IS NOT NULL OR installing_port IS NOT NULL`,
  );
  left.push(...ports.map((row) => `ports of a machine: ${JSON.stringify(row)}`));
  const jobs = await session.rows("SELECT job_id, job_type, phase FROM kluster_jobs WHERE phase <> 'ended'");
  left.push(...jobs.map((row) => `job that has not ended: ${JSON.stringify(row)}`));
  return left;
}

/** Engines below the home; those of the metadata server excepted. */
async function leftEngines({ home, machines }: Inspected): Promise<string[]> {
  const processes = await Promise.all(
    machines.map(({ dataDirectory }) =>
      leftProcesses({ id: dataDirectory, directory: dataDirectory }, endingMs),
    ),
  );
  const ofMetadata = join(home.metadataDirectory, 'data');
  return processes
    .flat()
    .filter(({ command }) => !command.includes(ofMetadata))
    .map(({ pid, command }) => `process ${String(pid)}: ${command}`);
}

async function leftOnMachine({ home }: Inspected, machine: TestMachine, epoch: number): Promise<string[]> {
  const directories = await readdir(machine.dataDirectory);
  const secret = (await readTextFile(home.secretFile))?.trim() ?? '';
  const agent = new AgentClient({ hostaddr: machine.hostaddr, port: agentPort, secret, epoch: () => epoch });
  const instances = await agent.instances();
  return [
    ...directories.map((name) => `directory ${join(machine.dataDirectory, name)}`),
    ...instances.map((view) => `instance ${view.instanceId} (${view.state}) at agent ${machine.hostaddr}`),
  ];
}

/** Everything that clusters and jobs have left in an installation, each thing by its name. */
export async function whatIsLeft(installation: Inspected): Promise<readonly string[]> {
  const { rows, epoch } = await onMetadata(installation, async (session) => {
    const [term] = await session.query('SELECT epoch FROM kluster_leadership');
    return { rows: await leftInCatalog(session), epoch: term === undefined ? 0 : numberOf(term, 'epoch') };
  });
  const machines = await Promise.all(
    installation.machines.map((machine) => leftOnMachine(installation, machine, epoch)),
  );
  return [...rows, ...machines.flat(), ...(await leftEngines(installation))];
}

/** Fails with the name of everything that is left when no cluster is supposed to exist. All agents must answer. */
export async function expectNothingLeft(installation: Inspected): Promise<void> {
  const left = await whatIsLeft(installation);
  expect(left, left.join('; ')).toEqual([]);
}
