import { Catalog } from '../src/catalog/catalog.ts';
import { clusterScope, type Credential } from '../src/catalog/credentials.ts';
import { MetadataDatabase } from '../src/catalog/database.ts';
import { clusterId } from '../src/core/ids.ts';
import type { Json } from '../src/core/json.ts';
import type { StorageNodeJson } from '../src/core/rest-types.ts';
import { withMysql } from '../src/engines/mysql/connection.ts';
import { numberOf, type SqlSession } from '../src/engines/sql.ts';
import { catalogKey, readMetadataCredentials } from '../src/manager/secrets.ts';
import type { BenchOptions } from './options.ts';
import { BenchInstallation } from './support/installation.ts';
import { median, rounded, secondsWithRange } from './support/statistics.ts';
import { withWorkspace } from './support/workspace.ts';

/**
 * Wall time of add_nodes and rebuild_node on a shard with data, beside the time that the server itself counts for the
 * clone within that same job (from its first stage to the end of its recovery): what the plugin alone would take.
 */
const network = '127.0.25';
const addresses = {
  manager: `${network}.1`,
  machines: [11, 12, 13, 14].map((host) => `${network}.${String(host)}`),
};
const defaultRounds = 3;
const targetShare = 0.7;
const dataMb = { full: 1024, quick: 16 };
const statementMs = 600_000;

interface Figure {
  readonly wallMs: number;
  readonly pluginMs: number;
  readonly bytes: number;
}

export async function benchClone(options: BenchOptions): Promise<void> {
  const rounds = options.rounds ?? (options.quick ? 1 : defaultRounds);
  await withWorkspace(addresses.machines, async (directory) => {
    const installation = await BenchInstallation.start(directory, addresses);
    await installation.run('create_cluster', {
      ha_mode: 'rbr',
      shards: '1',
      nodes: '3',
      comps: '1',
      dbcfg: '1',
    });
    const management = await managementOf(installation);
    const bench = { installation, management };
    await fill(bench, options.quick ? dataMb.quick : dataMb.full);
    const figures = { add_nodes: [] as Figure[], rebuild_node: [] as Figure[] };
    for (let round = 1; round <= rounds; round += 1) {
      figures.add_nodes.push(await measure(bench, 'add_nodes', { cluster_id: '1', nodes: '1' }));
      const { hostaddr, port } = await newest(installation);
      const node = { hostaddr, port: String(port) };
      figures.rebuild_node.push(
        await measure(bench, 'rebuild_node', {
          cluster_id: '1',
          shard_id: '1',
          rb_nodes: [node],
          allow_pull_from_master: '1',
        }),
      );
      await installation.run('delete_node', { cluster_id: '1', shard_id: '1', ...node });
      console.error(`round ${String(round)} of ${String(rounds)}`);
    }
    report(figures, rounds);
  });
}

interface Bench {
  readonly installation: BenchInstallation;
  readonly management: Credential;
}

/** The account that the manager made, read with the keys of its home. */
async function managementOf({ home }: BenchInstallation): Promise<Credential> {
  const metadata = await readMetadataCredentials(home);
  const [at] = metadata?.nodes ?? [];
  if (metadata === undefined || at === undefined) throw new Error('the home names no metadata server');
  const database = MetadataDatabase.open({ ...at, user: metadata.user, password: metadata.password });
  try {
    const catalog = new Catalog(database, await catalogKey(home));
    const found = (await catalog.credentials.read(clusterScope(clusterId(1)))).get('management');
    if (found === undefined) throw new Error('the cluster has no management account');
    return found;
  } finally {
    await database.close();
  }
}

async function nodes({ client }: BenchInstallation): Promise<readonly StorageNodeJson[]> {
  return (await client.cluster('1')).shards[0]?.nodes ?? [];
}

async function newest(installation: BenchInstallation): Promise<StorageNodeJson> {
  const found = (await nodes(installation)).at(-1);
  if (found === undefined) throw new Error('the shard has no nodes');
  return found;
}

function on<T>(
  { management }: Bench,
  { hostaddr, port }: StorageNodeJson,
  run: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const address = { hostaddr, port, ...management, statementTimeoutMs: statementMs };
  return withMysql(address, AbortSignal.timeout(statementMs), run);
}

/** Rows of a MiB that does not compress. */
async function fill(bench: Bench, megabytes: number): Promise<void> {
  const primary = (await nodes(bench.installation)).find(({ role }) => role === 'source');
  if (primary === undefined) throw new Error('the shard has no primary');
  await on(bench, primary, async (session) => {
    await session.query('CREATE DATABASE bench');
    await session.query('CREATE TABLE bench.t (id INT PRIMARY KEY AUTO_INCREMENT, content LONGBLOB)');
    const part = Array.from({ length: 1024 }, () => 'RANDOM_BYTES(1024)').join(',');
    for (let row = 0; row < megabytes; row += 1) {
      await session.query(`INSERT INTO bench.t (content) VALUES (CONCAT(${part}))`);
    }
  });
}

async function measure(bench: Bench, jobType: string, paras: Record<string, Json>): Promise<Figure> {
  const { wallMs } = await bench.installation.run(jobType, paras);
  const node = await newest(bench.installation);
  return on(bench, node, async (session) => {
    const [row] = await session.rows(
      `SELECT TIMESTAMPDIFF(MICROSECOND, MIN(BEGIN_TIME), MAX(END_TIME)) / 1000 AS plugin, SUM(DATA) AS bytes
         FROM performance_schema.clone_progress`,
    );
    if (row === undefined) throw new Error('the node was not cloned');
    return { wallMs, pluginMs: numberOf(row, 'plugin'), bytes: numberOf(row, 'bytes') };
  });
}

function report(figures: Readonly<Record<string, readonly Figure[]>>, rounds: number): void {
  console.log(`seconds: median (lowest–highest) of ${String(rounds)} rounds`);
  const shares = Object.entries(figures).map(([name, values]) => {
    const share = rounded(median(values.map(({ pluginMs, wallMs }) => pluginMs / wallMs)), 2);
    const megabytes = rounded(median(values.map(({ bytes }) => bytes)) / 1_000_000, 0);
    console.log(
      `${name.padEnd(14)} ${secondsWithRange(values.map(({ wallMs }) => wallMs))}; the clone in it ` +
        `${secondsWithRange(values.map(({ pluginMs }) => pluginMs))} for ${String(megabytes)} MB: ` +
        `${String(share)} of the speed of the plugin alone (target ${String(targetShare)})`,
    );
    return [name, share] as const;
  });
  console.log(JSON.stringify({ bench: 'clone', rounds, shares: Object.fromEntries(shares) }));
}
