import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect } from 'vitest';
import { clusterScope } from '../../src/catalog/credentials.ts';
import { clusterId } from '../../src/core/ids.ts';
import type { ClusterJson, ShardJson, StorageNodeJson } from '../../src/core/rest-types.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { numberOf, type SqlSession } from '../../src/engines/sql.ts';
import type { TestInstallation } from './installation.ts';

const password = 'An0ther-Secret';
const patient = { timeout: 30_000 };

export const underscored = ({ hostaddr, port }: StorageNodeJson): string => `${hostaddr}_${String(port)}`;

/** A cluster of one shard and one compute node, with one application session that writes an audited table. */
export class WrittenCluster {
  readonly #installation: TestInstallation;
  readonly #nickName: string;
  readonly #session: Client;
  #next = 1;

  private constructor(installation: TestInstallation, nickName: string, session: Client) {
    this.#installation = installation;
    this.#nickName = nickName;
    this.#session = session;
  }

  static async create(
    installation: TestInstallation,
    paras: { readonly ha_mode: 'rbr' | 'mgr' } & Readonly<Record<string, string>>,
  ): Promise<WrittenCluster> {
    const nickName = `written-${paras.ha_mode}`;
    await installation.done('create_cluster', {
      nick_name: nickName,
      shards: '1',
      nodes: '3',
      comps: '1',
      dbcfg: '1',
      computer_password: password,
      ...paras,
    });
    const [comp] = (await clusterNamed(installation, nickName)).comps;
    const at = { host: comp?.hostaddr, port: comp?.port };
    const session = new Client({ ...at, user: 'abc', password, database: 'postgres' });
    const made = new WrittenCluster(installation, nickName, session);
    await session.connect();
    await session.query('CREATE TABLE audit (id int PRIMARY KEY, note text)');
    return made;
  }

  async close(): Promise<void> {
    await this.#session.end();
  }

  json(): Promise<ClusterJson> {
    return clusterNamed(this.#installation, this.#nickName);
  }

  async shard(): Promise<ShardJson> {
    const [only] = (await this.json()).shards;
    if (only === undefined) throw new Error('the cluster has no shard');
    return only;
  }

  /** The recorded primary. */
  async source(): Promise<StorageNodeJson> {
    const found = (await this.shard()).nodes.find((node) => node.role === 'source');
    if (found === undefined) throw new Error('no primary is recorded');
    return found;
  }

  async replicas(): Promise<readonly StorageNodeJson[]> {
    return (await this.shard()).nodes.filter((node) => node.role === 'replica');
  }

  /** In a session of the manager's account. */
  async onNode<T>({ hostaddr, port }: StorageNodeJson, run: (mysql: SqlSession) => Promise<T>): Promise<T> {
    const { cluster_id: id } = await this.json();
    const account = await this.#installation.account(clusterScope(clusterId(id)), 'management');
    return withMysql({ hostaddr, port, ...account }, AbortSignal.timeout(30_000), run);
  }

  /** Writes the next number through the compute node. @returns the number when it was acknowledged */
  async write(): Promise<number | null> {
    const number = this.#next;
    this.#next += 1;
    const written = await this.#session.query('INSERT INTO audit VALUES ($1, $2)', [number, 'x']).then(
      () => true,
      () => false,
    );
    return written ? number : null;
  }

  /** Writes all the time while `run` runs, and some more. @returns what was acknowledged */
  async whileWriting(run: () => Promise<unknown>): Promise<readonly number[]> {
    const acknowledged: number[] = [];
    const state = { running: true };
    const writing = (async () => {
      while (state.running) {
        const number = await this.write();
        if (number !== null) acknowledged.push(number);
        await sleep(5);
      }
    })();
    try {
      await expect.poll(() => acknowledged.length, patient).toBeGreaterThan(10);
      await run();
      const before = acknowledged.length;
      await expect.poll(() => acknowledged.length, patient).toBeGreaterThan(before + 10);
    } finally {
      state.running = false;
      await writing;
    }
    return acknowledged;
  }

  async expectAllThere(acknowledged: readonly number[]): Promise<void> {
    const rows = await this.onNode(await this.source(), (mysql) =>
      mysql.query('SELECT id FROM `postgres_$$_public`.audit'),
    );
    const present = new Set(rows.map((row) => numberOf(row, 'id')));
    expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
  }

  /** One writable node, the recorded primary; all others have what it has. */
  async expectWhole(): Promise<void> {
    const primary = await this.source();
    const wanted = (await this.onNode(primary, contents)).rows;
    for (const node of (await this.shard()).nodes) {
      await expect
        .poll(() => this.onNode(node, contents).catch(String), patient)
        .toEqual({ open: node.hostaddr === primary.hostaddr, rows: wanted });
    }
  }
}

async function contents(mysql: SqlSession): Promise<{ readonly open: boolean; readonly rows: number }> {
  const [row] = await mysql.query(
    'SELECT @@GLOBAL.super_read_only AS closed, COUNT(*) AS found FROM `postgres_$$_public`.audit',
  );
  if (row === undefined) throw new Error('no answer');
  return { open: numberOf(row, 'closed') === 0, rows: numberOf(row, 'found') };
}

async function clusterNamed(installation: TestInstallation, nickName: string): Promise<ClusterJson> {
  const { clusters } = await installation.client.status();
  const found = clusters.find(({ nick_name: name }) => name === nickName);
  if (found === undefined) throw new Error(`there is no cluster ${nickName}`);
  return found;
}
