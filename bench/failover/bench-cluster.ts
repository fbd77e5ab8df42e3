import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { clusterScope, type Credential } from '../../src/catalog/credentials.ts';
import { clusterId } from '../../src/core/ids.ts';
import type { HaMode, HostPort } from '../../src/core/model.ts';
import type { ClusterJson, ComputeNodeJson, StorageNodeJson } from '../../src/core/rest-types.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { groupMembers } from '../../src/engines/mysql/group.ts';
import { isSuperReadOnly } from '../../src/engines/mysql/read-only.ts';
import { readSemiSync } from '../../src/engines/mysql/semi-sync.ts';
import { numberOf, type SqlSession } from '../../src/engines/sql.ts';
import { catalogAccount } from '../../test/support/catalog-account.ts';
import type { BenchInstallation } from '../support/installation.ts';

export interface ClusterPlaces {
  readonly haMode: Extract<HaMode, 'rbr' | 'mgr'>;
  readonly storage: readonly string[];
  readonly computer: string;
}

type Table = 'audit' | 'direct';

const user = 'abc';
const password = 'An0ther-Secret';
const wholeDeadlineMs = 180_000;
const pollMs = 200;
const nodesOfShard = 3;

/** One shard of three nodes and one compute node, with the tables that the writers use. */
export class BenchCluster {
  readonly id: string;
  readonly #installation: BenchInstallation;
  readonly #haMode: HaMode;
  readonly #management: Credential;
  readonly #acknowledged: Readonly<Record<Table, number[]>> = { audit: [], direct: [] };

  private constructor(
    installation: BenchInstallation,
    made: { readonly id: string; readonly haMode: HaMode; readonly management: Credential },
  ) {
    this.#installation = installation;
    this.id = made.id;
    this.#haMode = made.haMode;
    this.#management = made.management;
  }

  static async create(
    installation: BenchInstallation,
    { haMode, storage, computer }: ClusterPlaces,
  ): Promise<BenchCluster> {
    const { job } = await installation.run('create_cluster', {
      ha_mode: haMode,
      shards: '1',
      nodes: String(nodesOfShard),
      comps: '1',
      dbcfg: '1',
      storage_iplists: [...storage],
      computer_iplists: [computer],
      computer_user: user,
      computer_password: password,
    });
    const id = job.attachment?.['cluster_id'];
    if (typeof id !== 'string') throw new Error('create_cluster did not tell the id of the cluster');
    const scope = clusterScope(clusterId(Number(id)));
    const management = await catalogAccount(installation.home, scope, 'management');
    const cluster = new BenchCluster(installation, { id, haMode, management });
    await cluster.#makeTables();
    return cluster;
  }

  async #makeTables(): Promise<void> {
    await this.#on(await this.primary(), async (session) => {
      await session.query('CREATE DATABASE app');
      await session.query('CREATE TABLE app.audit (id INT PRIMARY KEY)');
      await session.query('CREATE TABLE app.direct (id INT PRIMARY KEY)');
    });
    const [shard] = (await this.#json()).shards;
    if (shard === undefined) throw new Error('the cluster has no shard');
    const client = new Client(this.#clientOptions(await this.comp()));
    // Told to whoever runs a query; while none runs nobody needs to know.
    client.on('error', () => undefined);
    await client.connect();
    try {
      await client.query(
        `CREATE FOREIGN TABLE audit (id int) SERVER kluster
           OPTIONS (shard '${String(shard.shard_id)}', remote_database 'app', remote_table 'audit')`,
      );
    } finally {
      await client.end();
    }
  }

  get management(): Credential {
    return this.#management;
  }

  #clientOptions({ hostaddr, port }: HostPort) {
    return { host: hostaddr, port, user, password, database: 'postgres' };
  }

  async computeLogin(): Promise<HostPort & Credential> {
    const { hostaddr, port } = await this.comp();
    return { hostaddr, port, user, password };
  }

  async nodes(): Promise<readonly StorageNodeJson[]> {
    return (await this.#json()).shards[0]?.nodes ?? [];
  }

  async primary(): Promise<StorageNodeJson> {
    const primary = (await this.nodes()).find(({ role }) => role === 'source');
    if (primary === undefined) throw new Error('the shard has no primary');
    return primary;
  }

  async comp(): Promise<ComputeNodeJson> {
    const [comp] = (await this.#json()).comps;
    if (comp === undefined) throw new Error('the cluster has no compute node');
    return comp;
  }

  async #json(): Promise<ClusterJson> {
    const { clusters } = await this.#installation.client.status();
    const cluster = clusters.find(({ cluster_id }) => String(cluster_id) === this.id);
    if (cluster === undefined) throw new Error(`there is no cluster ${this.id}`);
    return cluster;
  }

  /** Waits until one node accepts writes, all others follow it, and the manager knows it. */
  async untilWhole(): Promise<void> {
    const deadline = performance.now() + wholeDeadlineMs;
    let reason = 'not looked at';
    while (performance.now() < deadline) {
      reason = await this.#whatIsMissing().catch((error: unknown) => String(error));
      if (reason === '') return;
      await sleep(pollMs);
    }
    throw new Error(`the shard is not whole again: ${reason}`);
  }

  async #whatIsMissing(): Promise<string> {
    const nodes = await this.nodes();
    const idle = nodes.filter(({ status }) => status !== 'active');
    if (idle.length > 0) return idle.map(({ hostaddr, status }) => `${hostaddr} ${status}`).join();
    return this.#on(await this.primary(), async (session) => {
      if (await isSuperReadOnly(session)) return 'the primary is closed';
      const others =
        this.#haMode === 'mgr'
          ? (await groupMembers(session)).filter(({ state }) => state === 'ONLINE').length - 1
          : (await readSemiSync(session)).clients;
      return others === nodesOfShard - 1 ? '' : `${String(others)} nodes follow the primary`;
    });
  }

  /** Waits until another node than this one is recorded as the primary. */
  async untilMoved(former: StorageNodeJson): Promise<void> {
    const deadline = performance.now() + wholeDeadlineMs;
    while ((await this.primary()).node_id === former.node_id) {
      if (performance.now() > deadline) throw new Error(`${former.hostaddr} stays the primary`);
      await sleep(pollMs);
    }
  }

  /** Acknowledged rows that are not there. */
  async lost(table: Table, acknowledged: readonly number[]): Promise<number> {
    for (const id of acknowledged) this.#acknowledged[table].push(id);
    return this.#missing(table, acknowledged);
  }

  /** Of all rows that were asked for before: those that are not there by now. */
  async lostSince(): Promise<number> {
    const { audit, direct } = this.#acknowledged;
    return (await this.#missing('audit', audit)) + (await this.#missing('direct', direct));
  }

  async #missing(table: Table, ids: readonly number[]): Promise<number> {
    const sql = `SELECT id FROM app.${table} WHERE id >= ?`;
    const rows = await this.#on(await this.primary(), (session) => session.rows(sql, [ids[0] ?? 0]));
    const present = new Set(rows.map((row) => numberOf(row, 'id')));
    return ids.filter((id) => !present.has(id)).length;
  }

  /** Moves the primary elsewhere as an operator does; returns when the job has ended. */
  async switchOver({ hostaddr, port }: HostPort): Promise<void> {
    const [shard] = (await this.#json()).shards;
    await this.#installation.run('manual_switch', {
      cluster_id: this.id,
      shard_id: String(shard?.shard_id),
      master_hostaddr: `${hostaddr}_${String(port)}`,
    });
  }

  #on<T>({ hostaddr, port }: HostPort, work: (session: SqlSession) => Promise<T>): Promise<T> {
    return withMysql({ hostaddr, port, ...this.#management }, AbortSignal.timeout(30_000), work);
  }

  async remove(): Promise<void> {
    await this.#installation.run('delete_cluster', { cluster_id: this.id });
  }
}
