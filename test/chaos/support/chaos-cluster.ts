import { join } from 'node:path';
import { unseal } from '../../../src/core/seal.ts';
import type { ClusterJson, StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../../src/engines/postgres/connection.ts';
import { numberOf, textOf, type SqlAddress, type SqlRow } from '../../../src/engines/sql.ts';
import { readTextFile } from '../../../src/manager/json-file.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { endProcess, leftProcesses } from '../../support/leftovers.ts';
import { eventually } from '../../support/catalog-probe.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { shardAccounts } from './audit.ts';
import { Disk } from './disk.ts';
import { ChaosNetwork } from './network.ts';
import type { Timeline } from './timeline.ts';

const machines = 3;
/** Another one in each worker of the tests, which may need one at the same time. */
const network = `10.77.${process.env['VITEST_POOL_ID'] ?? '0'}`;
const deadline = (): AbortSignal => AbortSignal.timeout(10_000);

/**
 * Two rbr shards of three nodes with a compute node, on machines with networks and disks of their own. Faults are about the
 * first shard, unless they say otherwise.
 */
export class ChaosCluster {
  readonly installation: ProcessInstallation;
  readonly network: ChaosNetwork;
  readonly timeline: Timeline;
  /** Addresses and account of the storage nodes of the first shard. */
  nodes: readonly SqlAddress[] = [];
  /** Of the second one. */
  otherNodes: readonly SqlAddress[] = [];
  /** The same nodes, with the account that may write data and nothing else. */
  applications: readonly SqlAddress[] = [];
  comp: SqlAddress = { hostaddr: '', port: 0, user: '', password: '' };
  /** The process of a session whose transactions are on both shards; 0: none. */
  backend: () => number = () => 0;
  readonly #disks: readonly Disk[];
  #shape: ClusterJson | null = null;

  private constructor(parts: {
    installation: ProcessInstallation;
    network: ChaosNetwork;
    disks: readonly Disk[];
    timeline: Timeline;
  }) {
    this.installation = parts.installation;
    this.network = parts.network;
    this.timeline = parts.timeline;
    this.#disks = parts.disks;
  }

  /** `directory`: of the home. @throws Error when this user may not make namespaces and mounts */
  static async start(directory: string, timeline: Timeline): Promise<ChaosCluster> {
    const net = await ChaosNetwork.make(network, machines);
    const disks: Disk[] = [];
    try {
      for (let index = 0; index < machines; index += 1) {
        disks.push(await Disk.make(join(directory, 'data', `${network}.${String(index + 11)}`)));
      }
      const installation = await ProcessInstallation.start(directory, {
        network,
        machines,
        enter: (hostaddr) => net.enter(hostaddr),
      });
      const cluster = new ChaosCluster({ installation, network: net, disks, timeline });
      try {
        await cluster.#prepare();
        return cluster;
      } catch (error) {
        await cluster.installation.end();
        throw error;
      }
    } catch (error) {
      await release(net, disks);
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      await this.installation.end();
    } finally {
      await release(this.network, this.#disks);
    }
  }

  async #prepare(): Promise<void> {
    const password = 'An0ther-Secret';
    const shape = { ha_mode: 'rbr', shards: '2', nodes: String(machines), comps: '1', dbcfg: '1' };
    const job = await this.installation.run('create_cluster', { ...shape, computer_password: password });
    if (job.status !== 'done') throw new Error(`create_cluster: ${job.error?.message ?? ''}`);
    const cluster = await this.look();
    const management = await this.#account(cluster.cluster_id, 'management');
    const [nodes = [], others = []] = cluster.shards.map((shard) =>
      shard.nodes.map(({ hostaddr, port }) => ({ hostaddr, port, ...management })),
    );
    this.nodes = nodes;
    this.otherNodes = others;
    const compute = await this.#account(cluster.cluster_id, 'compute');
    this.applications = this.nodes.map((node) => ({ ...node, ...compute }));
    const [comp] = cluster.comps;
    if (comp === undefined) throw new Error('no compute node');
    this.comp = { hostaddr: comp.hostaddr, port: comp.port, user: 'abc', password };
    for (const statement of schema) await this.onPrimary(statement);
    await this.#defineOnCompute(cluster);
  }

  /** The audit of the first shard by another way, and a bank whose money is on both shards. */
  async #defineOnCompute({ shards }: ClusterJson): Promise<void> {
    const ids = shards.map(({ shard_id }) => String(shard_id));
    await withPostgres(this.comp, deadline(), async (session) => {
      await session.query(
        `CREATE FOREIGN TABLE chaos_audit (seq bigint, id text) SERVER kluster
           OPTIONS (shard '${String(ids[0])}', remote_database 'chaos', remote_table 'audit')`,
      );
      for (const [index, shard] of ids.entries()) {
        const number = String(index + 1);
        await session.query(
          `CREATE TABLE bank_${number} (id int PRIMARY KEY, balance int NOT NULL) WITH (shard = ${shard})`,
        );
        await session.query(`CREATE TABLE ledger_${number} (id text PRIMARY KEY) WITH (shard = ${shard})`);
        await session.query(
          `INSERT INTO bank_${number} SELECT id, 100 FROM generate_series(0, ${String(shardAccounts - 1)}) AS id`,
        );
      }
    });
  }

  async #account(
    cluster: number,
    purpose: string,
  ): Promise<{ readonly user: string; readonly password: string }> {
    const key = (await readTextFile(this.installation.home.keyFile))?.trim() ?? '';
    const [row] = await onMetadata(this.installation, (session) =>
      session.rows(
        'SELECT user_name, sealed_password FROM kluster_credentials WHERE scope = ? AND purpose = ?',
        [`cluster:${String(cluster)}`, purpose],
      ),
    );
    if (row === undefined) throw new Error(`no ${purpose} account`);
    const password = unseal(key, 'catalog-credentials', textOf(row, 'sealed_password'));
    return { user: textOf(row, 'user_name'), password };
  }

  /** The cluster as the manager knows it; as it was last seen while no manager answers. */
  async look(): Promise<ClusterJson> {
    try {
      [this.#shape = null] = await this.installation.client.clusters();
    } catch (error) {
      if (this.#shape === null) throw error;
    }
    if (this.#shape === null) throw new Error('no cluster');
    return this.#shape;
  }

  /** From the catalog itself: also while the manager is down. */
  async primary(nodes = this.nodes): Promise<SqlAddress> {
    const rows = await eventually(() =>
      onMetadata(this.installation, (session) =>
        session.query("SELECT hostaddr, port FROM shard_nodes WHERE member_state = 'source'"),
      ),
    );
    const at = rows.map((row) => `${textOf(row, 'hostaddr')}:${String(numberOf(row, 'port'))}`);
    const found = nodes.find(({ hostaddr, port }) => at.includes(`${hostaddr}:${String(port)}`));
    if (found === undefined) throw new Error(`the catalog names ${at.join(', ')} as primary`);
    return found;
  }

  /** The server of the metadata, which the manager starts again. */
  async metadataPid(): Promise<number> {
    const directory = this.installation.home.metadataDirectory;
    const [found] = await leftProcesses({ id: directory, directory }, 0);
    if (found === undefined) throw new Error('no metadata server runs');
    return found.pid;
  }

  async onPrimary(statement: string): Promise<readonly SqlRow[]> {
    return withMysql(await this.primary(), deadline(), (session) => session.query(statement));
  }

  /** The process of the engine that listens at this address. */
  async enginePid(at: SqlAddress): Promise<number> {
    const { dataDirectory } = this.installation.machine(at.hostaddr);
    const engines = await leftProcesses({ id: dataDirectory, directory: dataDirectory }, 0);
    for (const { pid, command } of engines) {
      const file = /--(?:defaults|config)-file=(\S+)/u.exec(command)?.[1];
      const configuration = file === undefined ? null : await readTextFile(file);
      if (new RegExp(`^port *= *['"]?${String(at.port)}['"]?$`, 'mu').test(configuration ?? '')) return pid;
    }
    throw new Error(`no engine listens at ${at.hostaddr}:${String(at.port)}`);
  }

  /** The agent and every process of the machine, at once. */
  async loseMachine(hostaddr: string): Promise<void> {
    await this.installation.killAgent(hostaddr);
    const { dataDirectory } = this.installation.machine(hostaddr);
    for (const left of await leftProcesses({ id: dataDirectory, directory: dataDirectory }, 0))
      await endProcess(left);
  }

  get canFreeze(): boolean {
    return this.#disks.every(({ canFreeze }) => canFreeze);
  }

  get canSlow(): boolean {
    return this.#disks.every(({ canSlow }) => canSlow);
  }

  disk(hostaddr: string): Disk {
    const { dataDirectory } = this.installation.machine(hostaddr);
    const disk = this.#disks.find(({ path }) => path === dataDirectory);
    if (disk === undefined) throw new Error(`${hostaddr} has no disk of its own`);
    return disk;
  }

  /** What the manager wrote about failovers, as lines for the timeline. */
  async noteFailovers(): Promise<void> {
    const rows = await onMetadata(this.installation, (session) =>
      session.query(
        'SELECT UNIX_TIMESTAMP(timestamp) AS at, step, host, new_master_host, description FROM rbr_consfailover',
      ),
    ).catch(() => []);
    for (const row of rows) {
      const text = ['step', 'host', 'new_master_host', 'description']
        .map((column) => String(row[column]))
        .join(' ');
      this.timeline.noteSparingly(`failover: ${text}`, numberOf(row, 'at') * 1000);
    }
    const log = (await readTextFile(this.installation.home.managerLog)) ?? '';
    for (const line of log.split('\n').filter((text) => text.includes('"shard"'))) {
      const { time, msg } = JSON.parse(line) as { readonly time: number; readonly msg: string };
      this.timeline.noteSparingly(`manager: ${msg}`, time);
    }
  }
}

const schema = [
  'CREATE DATABASE chaos',
  'CREATE TABLE chaos.audit (seq BIGINT AUTO_INCREMENT PRIMARY KEY, id VARCHAR(64) NOT NULL, KEY id (id))',
  'CREATE TABLE chaos.bank (account INT PRIMARY KEY, balance INT NOT NULL)',
  'INSERT INTO chaos.bank VALUES (0,100),(1,100),(2,100),(3,100),(4,100),(5,100),(6,100),(7,100),(8,100),(9,100)',
];
export const bankTotal = 1000;

export function storageNodes(cluster: ClusterJson): readonly StorageNodeJson[] {
  return cluster.shards.flatMap(({ nodes }) => nodes);
}

async function release(net: ChaosNetwork, disks: readonly Disk[]): Promise<void> {
  await net.close();
  for (const disk of disks) await disk.release();
}
