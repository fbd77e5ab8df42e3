import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** What the application sees when the primary of a group dies and does not come back. */
describe('a group that elects another primary', () => {
  let installation: TestInstallation;

  beforeAll(async () => {
    installation = await TestInstallation.start(await scratchDirectory(), {
      network: '127.0.25',
      machines: 3,
    });
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
  afterAll(() => installation.close());

  async function nodes(): Promise<readonly StorageNodeJson[]> {
    const [cluster] = (await installation.client.status()).clusters;
    return cluster?.shards[0]?.nodes ?? [];
  }

  it('keeps open sessions of compute nodes usable: they go on with the new primary', async () => {
    const [cluster] = (await installation.client.status()).clusters;
    const comp = cluster?.comps[0];
    const old = (await nodes()).find((node) => node.role === 'source');
    if (comp === undefined || old === undefined || old.pid === null)
      throw new Error('the cluster is not complete');

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
      const source = (await nodes()).find((node) => node.role === 'source');
      expect(source?.hostaddr).not.toBe(old.hostaddr);

      await installation.startAgent(old.hostaddr);
      await expect
        .poll(async () => (await nodes()).map((node) => node.status), { timeout: 30_000 })
        .toEqual(['active', 'active', 'active']);
      // The shard is itself again, and not what the test has written about it.
      const management = await installation.account(clusterScope(clusterId(1)), 'management');
      const primary = { hostaddr: source?.hostaddr ?? '', port: source?.port ?? 0, ...management };
      await withMysql(primary, AbortSignal.timeout(10_000), (mysql) =>
        mysql.query("DELETE FROM kunlun_sysdb.cluster_info WHERE cluster_name = 'after'"),
      );
    } finally {
      await session.end();
    }
  });
});
