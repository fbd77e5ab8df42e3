import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect } from 'vitest';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { preparedBranches } from '../../src/engines/mysql/xa.ts';
import type { CatalogProbe, ProbedCluster, ProbedShard } from './catalog-probe.ts';
import type { TestInstallation } from './installation.ts';

const password = 'An0ther-Secret';
const settledMs = 60_000;
const sessionMs = 30_000;

/** A cluster of two shards of one node each, with accounts and a ledger on both. */
export class DistributedBank {
  readonly installation: TestInstallation;
  readonly #probe: CatalogProbe;
  readonly #clusterId: number;

  private constructor(installation: TestInstallation, probe: CatalogProbe, clusterId: number) {
    this.installation = installation;
    this.#probe = probe;
    this.#clusterId = clusterId;
  }

  /** `accounts` on each shard, each with a balance of 1000. */
  static async open(
    installation: TestInstallation,
    openProbe: () => Promise<CatalogProbe>,
    accounts: number,
  ): Promise<DistributedBank> {
    const job = await installation.done('create_cluster', {
      ha_mode: 'no_rep',
      shards: '2',
      nodes: '1',
      comps: '1',
      dbcfg: '1',
      computer_password: password,
    });
    const bank = new DistributedBank(installation, await openProbe(), Number(job.attachment?.['cluster_id']));
    const session = await bank.session();
    for (const { id } of (await bank.cluster()).shards) {
      const shard = String(id);
      await session.query(
        `CREATE TABLE account_${shard} (id int PRIMARY KEY, balance int) WITH (shard = ${shard})`,
      );
      await session.query(`CREATE TABLE ledger_${shard} (id text PRIMARY KEY) WITH (shard = ${shard})`);
      await session.query(`INSERT INTO account_${shard} SELECT id, 1000 FROM generate_series(1, $1) AS id`, [
        accounts,
      ]);
    }
    await session.end();
    return bank;
  }

  cluster(): Promise<ProbedCluster> {
    return this.#probe.cluster(this.#clusterId);
  }

  /** Waits for a compute node that is being restarted. The caller ends the session. */
  async session(role: 'application' | 'compute_superuser' = 'application'): Promise<Client> {
    const [comp] = (await this.cluster()).comps;
    if (comp === undefined) throw new Error('no compute node');
    const { hostaddr: host, port } = comp;
    const account = await this.#probe.account(this.#clusterId, role);
    const deadline = performance.now() + sessionMs;
    for (;;) {
      const client = new Client({ host, port, ...account, database: 'postgres' });
      // Its server is killed on purpose.
      client.on('error', () => undefined);
      try {
        await client.connect();
        return client;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(100);
      }
    }
  }

  /** Moves one unit from an account of the first shard to one of the second, in the open transaction. */
  async transfer(session: Client, account: number, entry: string): Promise<void> {
    const [from, to] = await this.shards();
    await session.query(`UPDATE account_${from.id} SET balance = balance - 1 WHERE id = $1`, [account]);
    await session.query(`INSERT INTO ledger_${from.id} VALUES ($1)`, [entry]);
    await session.query(`UPDATE account_${to.id} SET balance = balance + 1 WHERE id = $1`, [account]);
    await session.query(`INSERT INTO ledger_${to.id} VALUES ($1)`, [entry]);
  }

  async shards(): Promise<readonly [ProbedShard, ProbedShard]> {
    const [first, second] = (await this.cluster()).shards;
    if (first === undefined || second === undefined) throw new Error('not two shards');
    return [first, second];
  }

  /** The branches that wait for a decision on both shards; undefined while a shard does not answer. */
  async prepared(): Promise<number | undefined> {
    const account = await this.#probe.account(this.#clusterId, 'management');
    let count = 0;
    for (const { primary } of await this.shards()) {
      const { hostaddr, port } = primary;
      const branches = await withMysql(
        { hostaddr, port, ...account },
        AbortSignal.timeout(5000),
        preparedBranches,
      ).catch(() => undefined);
      if (branches === undefined) return undefined;
      count += branches.length;
    }
    return count;
  }

  /** Kill -9 of the process of an instance; its agent starts it again. */
  async kill(at: { readonly hostaddr: string; readonly port: number }): Promise<void> {
    const [cluster] = (await this.installation.client.status()).clusters;
    const nodes = [...(cluster?.comps ?? []), ...(cluster?.shards ?? []).flatMap((shard) => shard.nodes)];
    const pid = nodes.find(({ hostaddr, port }) => hostaddr === at.hostaddr && port === at.port)?.pid;
    if (typeof pid === 'number') process.kill(pid, 'SIGKILL');
  }

  /** No branch is left, and both shards have the same entries and together all the money. */
  async expectConsistent(accounts: number): Promise<ReadonlySet<string>> {
    await expect.poll(() => this.prepared(), { timeout: settledMs, interval: 250 }).toBe(0);
    const [first, second] = await this.shards();
    const session = await this.session();
    try {
      const entries = async (shard: ProbedShard): Promise<readonly string[]> => {
        const { rows } = await session.query<{ id: string }>(`SELECT id FROM ledger_${shard.id} ORDER BY id`);
        return rows.map(({ id }) => id);
      };
      const made = await entries(first);
      expect(await entries(second)).toEqual(made);
      const { rows } = await session.query<{ money: string }>(
        `SELECT (SELECT sum(balance) FROM account_${first.id}) + (SELECT sum(balance) FROM account_${second.id}) AS money`,
      );
      expect(Number(rows[0]?.money)).toBe(2 * accounts * 1000);
      return new Set(made);
    } finally {
      await session.end();
    }
  }
}
