import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { numberOf, type SqlRow } from '../../../src/engines/sql.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const password = 'An0ther-Secret';

/** Writes numbers through a compute node, one after the other, and remembers which were acknowledged. */
class Writer {
  readonly acknowledged: number[] = [];
  #next = 1;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  start(session: Client, first = 1): void {
    this.#next = first;
    this.#running = this.#run(session);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(session: Client): Promise<void> {
    while (!this.#stopped) {
      const number = this.#next++;
      const written = await session.query('INSERT INTO audit VALUES ($1, $2)', [number, 'x']).then(
        () => true,
        () => false,
      );
      if (written) this.acknowledged.push(number);
      await sleep(20);
    }
  }
}

describe('an rbr shard that loses its primary', () => {
  let installation: TestInstallation;
  let session: Client;
  let management: { readonly user: string; readonly password: string };

  beforeAll(async () => {
    installation = await TestInstallation.start(await scratchDirectory(), {
      network: '127.0.26',
      machines: 3,
    });
    await installation.done('create_cluster', {
      ha_mode: 'rbr',
      shards: '1',
      nodes: '3',
      comps: '1',
      dbcfg: '1',
      computer_password: password,
    });
    const [cluster] = (await installation.client.status()).clusters;
    const comp = cluster?.comps[0];
    if (comp === undefined) throw new Error('no compute node');
    management = await installation.account(clusterScope(clusterId(1)), 'management');
    session = new Client({
      host: comp.hostaddr,
      port: comp.port,
      user: 'abc',
      password,
      database: 'postgres',
    });
    await session.connect();
    await session.query('CREATE TABLE audit (id int PRIMARY KEY, note text)');
  });
  afterAll(async () => {
    await session.end();
    await installation.close();
  });

  async function nodes(): Promise<readonly StorageNodeJson[]> {
    const [cluster] = (await installation.client.status()).clusters;
    return cluster?.shards[0]?.nodes ?? [];
  }

  async function source(): Promise<StorageNodeJson> {
    const found = (await nodes()).find((node) => node.role === 'source');
    if (found === undefined) throw new Error('no primary is recorded');
    return found;
  }

  function onNode(
    { hostaddr, port }: StorageNodeJson,
    statement: string,
    deadlineMs = 10_000,
  ): Promise<readonly SqlRow[]> {
    return withMysql({ hostaddr, port, ...management }, AbortSignal.timeout(deadlineMs), (mysql) =>
      mysql.query(statement),
    );
  }

  async function writableNodes(): Promise<readonly string[]> {
    const answers = await Promise.all(
      (await nodes()).map(async (node) => {
        const [row] = await onNode(node, 'SELECT @@GLOBAL.super_read_only AS closed').catch(() => []);
        return row !== undefined && numberOf(row, 'closed') === 0 ? [node.hostaddr] : [];
      }),
    );
    return answers.flat();
  }

  /** Every acknowledged write is there exactly once, on the primary and on all that follow it. */
  async function expectNothingLost(writer: Writer): Promise<void> {
    const rows = await onNode(await source(), 'SELECT id FROM `postgres_$$_public`.audit');
    const present = new Set(rows.map((row) => numberOf(row, 'id')));
    expect(writer.acknowledged.filter((id) => !present.has(id))).toEqual([]);
  }

  async function expectWholeAgain(): Promise<void> {
    await expect.poll(writableNodes, { timeout: 120_000 }).toEqual([(await source()).hostaddr]);
    const primary = await source();
    const [row] = await onNode(primary, 'SELECT COUNT(*) AS rows_there FROM `postgres_$$_public`.audit');
    for (const node of await nodes()) {
      await expect
        .poll(
          async () => {
            const [copy] = await onNode(
              node,
              'SELECT COUNT(*) AS rows_there FROM `postgres_$$_public`.audit',
            ).catch(() => []);
            return copy === undefined ? -1 : numberOf(copy, 'rows_there');
          },
          { timeout: 120_000 },
        )
        .toBe(row === undefined ? 0 : numberOf(row, 'rows_there'));
    }
  }

  it('promotes a replica when the machine is lost; open sessions go on; the old primary follows when it returns', async () => {
    const old = await source();
    if (old.pid === null) throw new Error('the primary has no process');
    const writer = new Writer();
    writer.start(session);
    await expect.poll(() => writer.acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(10);

    await installation.stopAgent(old.hostaddr);
    process.kill(old.pid, 'SIGKILL');
    const before = writer.acknowledged.length;
    await expect.poll(async () => (await source()).hostaddr, { timeout: 40_000 }).not.toBe(old.hostaddr);
    await expect.poll(() => writer.acknowledged.length, { timeout: 40_000 }).toBeGreaterThan(before + 20);

    await installation.startAgent(old.hostaddr);
    await expect
      .poll(async () => (await nodes()).map(({ status }) => status), { timeout: 60_000 })
      .toEqual(['active', 'active', 'active']);
    await writer.stop();
    await expectNothingLost(writer);
    await expectWholeAgain();
  });

  it(
    'promotes a replica when the primary hangs; what only the old one has is saved, and it is rebuilt',
    { timeout: 300_000 },
    async () => {
      const old = await source();
      if (old.pid === null) throw new Error('the primary has no process');
      const writer = new Writer();
      writer.start(session, 1_000_000);
      await expect.poll(() => writer.acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(10);
      // What is in its log without an acknowledgement is committed when it restarts.
      const unacknowledged = onNode(
        old,
        "INSERT INTO `postgres_$$_public`.audit VALUES (-1, 'x')",
        120_000,
      ).catch(() => []);
      process.kill(old.pid, 'SIGSTOP');
      try {
        await expect.poll(async () => (await source()).hostaddr, { timeout: 60_000 }).not.toBe(old.hostaddr);
      } finally {
        process.kill(old.pid, 'SIGCONT');
      }
      await unacknowledged;
      const before = writer.acknowledged.length;
      await expect.poll(() => writer.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(before + 5);
      await writer.stop();
      await expectNothingLost(writer);
      await expectWholeAgain();
    },
  );
});
