import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { isSuperReadOnly, makeWritable } from '../../../src/engines/mysql/read-only.ts';
import type { SqlSession } from '../../../src/engines/sql.ts';
import { Disk } from '../../chaos/support/disk.ts';
import { whyNot } from '../../chaos/support/possible.ts';
import { TestInstallation } from '../../support/installation.ts';
import { expectHealthy } from '../../support/healthy.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const impossible = await whyNot();

/** What the application sees when the primary of a group dies and does not come back, or cannot write any more. */
describe('a group that elects another primary', () => {
  let installation: TestInstallation;
  const disks = new Map<string, Disk>();

  beforeAll(async () => {
    installation = await TestInstallation.start(await scratchDirectory(), {
      network: '127.0.25',
      machines: 3,
    });
    for (const { hostaddr, dataDirectory } of impossible === null ? installation.machines : [])
      disks.set(hostaddr, await Disk.make(dataDirectory));
    const addresses = installation.machines.map(({ hostaddr }) => hostaddr);
    await installation.done('create_cluster', {
      ha_mode: 'mgr',
      shards: '1',
      nodes: '3',
      comps: '1',
      dbcfg: '1',
      storage_iplists: addresses,
      computer_iplists: addresses.slice(0, 1),
      computer_password: 'An0ther-Secret',
    });
  });
  afterAll(async () => {
    try {
      await installation.close();
    } finally {
      for (const disk of disks.values()) await disk.release();
    }
  });

  async function nodes(): Promise<readonly StorageNodeJson[]> {
    const [cluster] = (await installation.client.status()).clusters;
    return cluster?.shards[0]?.nodes ?? [];
  }

  async function source(): Promise<StorageNodeJson> {
    const found = (await nodes()).find((node) => node.role === 'source');
    if (found === undefined) throw new Error('no node is the source');
    return found;
  }

  const onSource = async <T>(ask: (session: SqlSession) => Promise<T>): Promise<T> =>
    onNode(await source(), ask);

  async function onNode<T>(
    { hostaddr, port }: StorageNodeJson,
    ask: (session: SqlSession) => Promise<T>,
  ): Promise<T> {
    const management = await installation.account(clusterScope(clusterId(1)), 'management');
    return withMysql({ hostaddr, port, ...management }, AbortSignal.timeout(10_000), ask);
  }

  const patient = { timeout: 60_000, interval: 200 };
  const everyNode = async (): Promise<readonly string[]> => (await nodes()).map((node) => node.status);

  it('is opened, and its other members are closed, whatever has changed that', async () => {
    const replica = (await nodes()).find((node) => node.role === 'replica');
    if (replica === undefined) throw new Error('the group has no other member');
    await onSource((session) => session.execute('SET GLOBAL super_read_only = ON'));
    await expect.poll(() => onSource(isSuperReadOnly), patient).toBe(false);
    await onNode(replica, makeWritable);
    await expect.poll(() => onNode(replica, isSuperReadOnly), patient).toBe(true);
  });

  it.skipIf(impossible !== null)(
    'gives its role away when its disk is full, and is a member again when there is room',
    { timeout: 150_000 },
    async () => {
      const old = await source();
      const disk = disks.get(old.hostaddr);
      await disk?.fill();
      await expect.poll(async () => (await source()).hostaddr, patient).not.toBe(old.hostaddr);
      await onSource((session) =>
        session.query("INSERT INTO kunlun_sysdb.cluster_info VALUES ('full', 'disk')"),
      );
      await disk?.empty();
      await expect.poll(everyNode, patient).toEqual(['active', 'active', 'active']);
      await onSource((session) =>
        session.query("DELETE FROM kunlun_sysdb.cluster_info WHERE cluster_name = 'full'"),
      );
      await expectHealthy(installation.client);
    },
  );

  it('keeps open sessions of compute nodes usable: they go on with the new primary', async () => {
    const [cluster] = (await installation.client.status()).clusters;
    const comp = cluster?.comps[0];
    const old = await source();
    if (comp === undefined || old.pid === null) throw new Error('the cluster is not complete');

    const session = new Client({
      host: comp.hostaddr,
      port: comp.port,
      user: 'abc',
      password: 'An0ther-Secret',
      database: 'postgres',
    });
    await session.connect();
    try {
      await session.query(
        `CREATE FOREIGN TABLE info (cluster_name text, shard_name text) SERVER kluster
           OPTIONS (shard '1', remote_database 'kunlun_sysdb', remote_table 'cluster_info')`,
      );
      expect((await session.query('SELECT * FROM info')).rows).toHaveLength(1);

      await installation.stopAgent(old.hostaddr);
      process.kill(old.pid, 'SIGKILL');

      // The group's own detector takes five seconds; then the manager records the new primary and re-routes.
      await expect
        .poll(
          async () => {
            await sleep(200);
            return session.query("INSERT INTO info VALUES ('after', 'failover')").then(
              () => 'written',
              () => 'refused',
            );
          },
          { timeout: 40_000 },
        )
        .toBe('written');
      expect((await source()).hostaddr).not.toBe(old.hostaddr);

      await installation.startAgent(old.hostaddr);
      await expect.poll(everyNode, patient).toEqual(['active', 'active', 'active']);
      // The shard is itself again, and not what the test has written about it.
      await onSource((mysql) =>
        mysql.query("DELETE FROM kunlun_sysdb.cluster_info WHERE cluster_name = 'after'"),
      );
    } finally {
      await session.end();
    }
  });
});
