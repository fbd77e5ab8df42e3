import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import mysql from 'mysql2/promise';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { numberOf, type SqlAddress, type SqlSession } from '../../../src/engines/sql.ts';
import { readTextFile } from '../../../src/manager/json-file.ts';
import { DirectAudit } from '../../chaos/support/audit.ts';
import { ChaosCluster } from '../../chaos/support/chaos-cluster.ts';
import { whyNot } from '../../chaos/support/possible.ts';
import { Timeline } from '../../chaos/support/timeline.ts';
import { askDoctor } from '../../support/healthy.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const impossible = await whyNot();
if (impossible !== null) process.stderr.write(`odd primaries are skipped: ${impossible}\n`);

const patient = { timeout: 90_000, interval: 200 };
const testMs = 240_000;

describe.skipIf(impossible !== null)('a primary that lives and cannot do its work', () => {
  const timeline = new Timeline();
  let cluster: ChaosCluster;
  let writer: DirectAudit;

  beforeAll(async () => {
    cluster = await ChaosCluster.start(await scratchDirectory(), timeline);
    writer = new DirectAudit('direct', cluster.applications);
    writer.start();
  }, testMs);
  afterAll(async () => {
    await writer?.stop();
    await cluster?.close();
  });

  const manager = async (): Promise<string> =>
    (await readTextFile(cluster.installation.home.managerLog)) ?? '';
  /** Something written from now on is acknowledged. */
  async function expectWritesGoOn(): Promise<void> {
    const before = writer.acknowledged.size;
    await expect.poll(() => writer.acknowledged.size, patient).toBeGreaterThan(before + 5);
  }

  /** A transaction of an application at this node that has done everything but prepare; null when it takes no writes. */
  async function begun(node: SqlAddress): Promise<mysql.Connection | null> {
    const { user, password } = cluster.applications[0] ?? node;
    const session = await mysql.createConnection({ host: node.hostaddr, port: node.port, user, password });
    session.on('error', () => undefined);
    try {
      await session.query("XA START 'begun'");
      await session.query('INSERT INTO begun.t VALUES (1)');
      await session.query("XA END 'begun'");
      return session;
    } catch (error) {
      session.destroy();
      if (!(error instanceof Error)) throw error;
      return null;
    }
  }

  /** What the doctor finds, and where. */
  async function found(): Promise<readonly (readonly [string, string])[]> {
    const { findings } = await askDoctor(cluster.installation.client);
    return findings.map(({ what, where }) => [what, where] as const);
  }

  const on = <T>(node: SqlAddress, ask: (session: SqlSession) => Promise<T>): Promise<T> =>
    withMysql(node, AbortSignal.timeout(10_000), ask);

  /** The shard has another primary, every node is well, and has each acknowledged write. */
  async function expectWhole(): Promise<void> {
    await expect
      .poll(async () => {
        const { findings, jobs_under_way: jobs } = await askDoctor(cluster.installation.client);
        return { findings, jobs };
      }, patient)
      .toEqual({ findings: [], jobs: [] });
    const acknowledged = [...writer.acknowledged];
    const rows = await cluster.onPrimary('SELECT id FROM chaos.audit');
    const there = new Set(rows.map((row) => String(row['id'])));
    expect(acknowledged.filter((id) => !there.has(id))).toEqual([]);
  }

  it(
    'gives its role to a replica when none of them hears from it, and follows when it is reached again',
    { timeout: testMs },
    async () => {
      await expectWritesGoOn();
      const old = await cluster.primary();
      const replicas = cluster.nodes.filter((node) => node !== old);
      for (const { hostaddr } of replicas) await cluster.network.separate(old.hostaddr, hostaddr);
      await expect.poll(async () => (await cluster.primary()).hostaddr, patient).not.toBe(old.hostaddr);
      await expectWritesGoOn();
      expect(await manager()).toContain('primary_isolated');
      const closed = (session: SqlSession) => session.query('SELECT @@GLOBAL.super_read_only AS closed');
      await expect.poll(async () => numberOf((await on(old, closed))[0] ?? {}, 'closed'), patient).toBe(1);
      await cluster.network.heal();
      await expectWhole();
    },
  );

  it('cannot commit there what was begun before it was closed', { timeout: testMs }, async () => {
    // Of the other shard, to which nobody writes: commits that wait would have it killed.
    const primary = await cluster.primary(cluster.otherNodes);
    const replica = cluster.otherNodes.find((node) => node !== primary);
    if (replica === undefined) throw new Error('a replica wanted');
    await on(primary, async (session) => {
      await session.query('CREATE DATABASE begun');
      await session.query('CREATE TABLE begun.t (id INT PRIMARY KEY)');
    });
    // The manager may have closed it again before the transaction has begun.
    const open = async (): Promise<mysql.Connection | null> => {
      await on(replica, (session) => session.query('SET GLOBAL super_read_only = OFF'));
      await on(replica, (session) => session.query('SET GLOBAL read_only = OFF'));
      return begun(replica);
    };
    let transaction: mysql.Connection | null = null;
    await expect.poll(async () => (transaction ??= await open()), patient).not.toBeNull();
    const clients = async (): Promise<unknown> =>
      on(replica, async (session) => {
        const rows = await session.query('SHOW PROCESSLIST');
        return rows.filter((row) => row['User'] === cluster.applications[0]?.user).length;
      });
    // A server that is read-only still prepares and commits what was begun before; no other node would have it.
    await expect.poll(clients, patient).toBe(0);
    const closed = await on(replica, (session) => session.query('SELECT @@GLOBAL.super_read_only AS closed'));
    expect(closed).toMatchObject([{ closed: 1 }]);
  });

  it(
    'keeps its role while a replica hears from it, though the manager does not reach it',
    { timeout: testMs },
    async () => {
      const primary = await cluster.primary();
      await cluster.network.separate(primary.hostaddr, `${cluster.network.network}.1`);
      await sleep(6000);
      expect((await cluster.primary()).hostaddr).toBe(primary.hostaddr);
      await cluster.network.heal();
      await expectWritesGoOn();
      await expectWhole();
    },
  );

  it(
    'keeps its role when no replica could acknowledge what another one commits',
    { timeout: testMs },
    async () => {
      const primary = await cluster.primary();
      const [first, second, third] = cluster.nodes.map(({ hostaddr }) => hostaddr);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three nodes');
      await cluster.network.separate(first, second);
      await cluster.network.separate(second, third);
      await cluster.network.separate(first, third);
      await expect.poll(manager, patient).toContain('is reached by 1 others');
      await cluster.network.heal();
      await expectWritesGoOn();
      expect((await cluster.primary()).hostaddr).toBe(primary.hostaddr);
      await expectWhole();
    },
  );

  it(
    'gives its role away when its disk is full, is named as long as that lasts, and follows when there is room',
    { timeout: testMs },
    async () => {
      await expectWritesGoOn();
      const old = await cluster.primary();
      await cluster.disk(old.hostaddr).fill();
      await expect.poll(async () => (await cluster.primary()).hostaddr, patient).not.toBe(old.hostaddr);
      await expectWritesGoOn();
      expect(await manager()).toContain('primary_full');
      await expect.poll(found, patient).toContainEqual(['disk_full', expect.stringContaining(old.hostaddr)]);
      const word = async () => (await cluster.look()).shards[0]?.state;
      await expect.poll(word, patient).toBe('node_full');
      await cluster.disk(old.hostaddr).empty();
      await expectWhole();
    },
  );

  it('gives its role away when its disk does not answer any more', { timeout: testMs }, async ({ skip }) => {
    await expectWritesGoOn();
    const old = await cluster.primary();
    const disk = cluster.disk(old.hostaddr);
    skip(!disk.canFreeze, 'there are no loop devices for a disk that can be frozen');
    await disk.freeze();
    try {
      await expect.poll(async () => (await cluster.primary()).hostaddr, patient).not.toBe(old.hostaddr);
      await expectWritesGoOn();
      expect(await manager()).toContain('primary_frozen');
      await expect
        .poll(found, patient)
        .toContainEqual(['disk_frozen', expect.stringContaining(old.hostaddr)]);
    } finally {
      await disk.thaw();
    }
    await expectWhole();
  });
});
