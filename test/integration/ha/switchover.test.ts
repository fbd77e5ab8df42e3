import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { JobJson, ShardJson, StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { numberOf, textOf, type SqlRow, type SqlSession } from '../../../src/engines/sql.ts';
import { TestInstallation } from '../../support/installation.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const password = 'An0ther-Secret';

/** What the applications of an rbr cluster and of an mgr cluster see when their primaries are moved on purpose. */
describe('manual_switch', () => {
  let installation: TestInstallation;
  const session = { rbr: new Client(), mgr: new Client() };

  beforeAll(async () => {
    installation = await TestInstallation.start(await scratchDirectory(), {
      network: '127.0.27',
      machines: 3,
    });
    for (const mode of ['rbr', 'mgr'] as const) {
      await installation.done('create_cluster', {
        ha_mode: mode,
        nick_name: mode,
        shards: '1',
        nodes: '3',
        comps: '1',
        dbcfg: '1',
        computer_password: password,
      });
      await onNode(mode, await source(mode), async (mysql) => {
        await mysql.query('CREATE DATABASE app');
        await mysql.query('CREATE TABLE app.audit (id INT PRIMARY KEY, note VARCHAR(8))');
      });
      session[mode] = await openSession(mode);
      await session[mode].query(
        "CREATE FOREIGN TABLE audit (id int, note text) SERVER shard_1 OPTIONS (dbname 'app', table_name 'audit')",
      );
    }
  }, 120_000);
  afterAll(async () => {
    await Promise.allSettled(Object.values(session).map((client) => client.end()));
    await installation.close();
  });

  async function cluster(mode: string) {
    const found = (await installation.client.status()).clusters.find(({ nick_name: name }) => name === mode);
    if (found === undefined) throw new Error(`there is no ${mode} cluster`);
    return found;
  }

  async function openSession(mode: string): Promise<Client> {
    const [comp] = (await cluster(mode)).comps;
    const client = new Client({
      host: comp?.hostaddr,
      port: comp?.port,
      user: 'abc',
      password,
      database: 'postgres',
    });
    await client.connect();
    return client;
  }

  async function shard(mode: string): Promise<ShardJson> {
    const [only] = (await cluster(mode)).shards;
    if (only === undefined) throw new Error(`the ${mode} cluster has no shard`);
    return only;
  }

  async function source(mode: string): Promise<StorageNodeJson> {
    const found = (await shard(mode)).nodes.find((node) => node.role === 'source');
    if (found === undefined) throw new Error('no primary is recorded');
    return found;
  }

  async function onNode<T>(
    mode: string,
    { hostaddr, port }: StorageNodeJson,
    run: (mysql: SqlSession) => Promise<T>,
  ): Promise<T> {
    const { cluster_id: id } = await cluster(mode);
    const account = await installation.account(clusterScope(clusterId(id)), 'management');
    return withMysql({ hostaddr, port, ...account }, AbortSignal.timeout(30_000), run);
  }

  async function paras(mode: string, assigned?: StorageNodeJson): Promise<Record<string, string>> {
    const { cluster_id: id } = await cluster(mode);
    return {
      cluster_id: String(id),
      shard_id: String((await shard(mode)).shard_id),
      master_hostaddr: underscored(await source(mode)),
      ...(assigned === undefined ? {} : { assign_hostaddr: underscored(assigned) }),
    };
  }

  const underscored = ({ hostaddr, port }: StorageNodeJson): string => `${hostaddr}_${String(port)}`;

  /** Writes numbers through the compute node while `run` runs; gives those that were acknowledged. */
  async function whileWriting(
    mode: 'rbr' | 'mgr',
    run: () => Promise<unknown>,
    first: number,
  ): Promise<readonly number[]> {
    const acknowledged: number[] = [];
    const state = { running: true };
    const writing = (async () => {
      for (let number = first; state.running; number += 1) {
        const written = await session[mode].query('INSERT INTO audit VALUES ($1, $2)', [number, 'x']).then(
          () => true,
          () => false,
        );
        if (written) acknowledged.push(number);
        await sleep(5);
      }
    })();
    try {
      await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(10);
      await run();
      const before = acknowledged.length;
      // The same session goes on.
      await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before + 10);
    } finally {
      state.running = false;
      await writing;
    }
    return acknowledged;
  }

  async function expectAllThere(mode: string, acknowledged: readonly number[]): Promise<void> {
    const rows = await onNode(mode, await source(mode), (mysql) => mysql.query('SELECT id FROM app.audit'));
    const present = new Set(rows.map((row) => numberOf(row, 'id')));
    expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
  }

  /** One writable node, the recorded primary; the others get what is written there. */
  async function expectWhole(mode: string): Promise<void> {
    const primary = await source(mode);
    const mark = Date.now() % 1_000_000_000;
    await onNode(mode, primary, (mysql) =>
      mysql.query(`REPLACE INTO app.audit VALUES (${String(mark)}, 'w')`),
    );
    for (const node of (await shard(mode)).nodes) {
      await expect
        .poll(() => onNode(mode, node, (mysql) => presence(mysql, mark)), { timeout: 20_000 })
        .toEqual({ open: node.hostaddr === primary.hostaddr, found: 1 });
    }
  }

  async function presence(mysql: SqlSession, id: number): Promise<{ open: boolean; found: number }> {
    const [row] = await mysql.query(
      `SELECT @@GLOBAL.super_read_only AS closed, COUNT(*) AS found FROM app.audit WHERE id = ${String(id)}`,
    );
    if (row === undefined) throw new Error('no answer');
    return { open: numberOf(row, 'closed') === 0, found: numberOf(row, 'found') };
  }

  function records(): Promise<readonly SqlRow[]> {
    return onMetadata(installation, (metadata) =>
      metadata.query(
        'SELECT taskid, step, host, new_master_host, err_code FROM rbr_consfailover ORDER BY id',
      ),
    );
  }

  async function refusal(mode: string, asked: Record<string, string>): Promise<unknown> {
    const reply = await installation.emit({
      version: '1.0',
      job_type: 'manual_switch',
      timestamp: '1',
      user_name: 'test',
      paras: { ...(await paras(mode)), ...asked },
    });
    return reply['error_code'];
  }

  it('moves the primary of an rbr shard: nothing is lost, open sessions go on, everybody follows', async () => {
    const old = await source('rbr');
    let job: JobJson | undefined;
    const acknowledged = await whileWriting(
      'rbr',
      async () => {
        job = await installation.done('manual_switch', await paras('rbr'));
      },
      1,
    );
    const now = await source('rbr');
    expect(now.hostaddr).not.toBe(old.hostaddr);
    expect(job?.attachment).toMatchObject({
      job_step: 'check,catch_up,switch,settle',
      step: 'settle',
      new_master_host: underscored(now),
    });
    await expectAllThere('rbr', acknowledged);
    await expectWhole('rbr');
    const rows = await records();
    expect(rows.map((row) => textOf(row, 'step'))).toEqual(['begin', 'promote']);
    expect(rows.at(-1)).toMatchObject({
      host: underscored(old),
      new_master_host: underscored(now),
      err_code: 0,
    });
  });

  it('moves it to the node that was asked for, past clients that hold it up', async () => {
    const { nodes } = await shard('rbr');
    const old = await source('rbr');
    const assigned = nodes.find(({ role }) => role === 'replica');
    const account = { user: 'direct', password: 'Direct-1-test' };
    await onNode('rbr', old, async (mysql) => {
      await mysql.query(`CREATE USER 'direct'@'%' IDENTIFIED BY '${account.password}'`);
      await mysql.query("GRANT ALL ON app.* TO 'direct'@'%'");
    });
    const signal = AbortSignal.timeout(60_000);
    const client = (run: (mysql: SqlSession) => Promise<unknown>) =>
      withMysql(
        { hostaddr: old.hostaddr, port: old.port, ...account, statementTimeoutMs: 60_000 },
        signal,
        run,
      );
    const slow = client((mysql) => mysql.query("UPDATE app.audit SET note = 'y' WHERE SLEEP(60) = 0"));
    const idle = client(async (mysql) => {
      await mysql.query('START TRANSACTION');
      await mysql.query("INSERT INTO app.audit VALUES (700000, 'never')");
      await sleep(5000, undefined, { signal });
      await mysql.query('COMMIT');
    });
    const ends = Promise.allSettled([slow, idle]);
    await sleep(500);
    await installation.done('manual_switch', await paras('rbr', assigned));
    expect((await source('rbr')).hostaddr).toBe(assigned?.hostaddr);
    await expectWhole('rbr');
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const [row] = await onNode('rbr', await source('rbr'), (mysql) =>
      mysql.query('SELECT COUNT(*) AS found FROM app.audit WHERE id = 700000'),
    );
    expect(row).toMatchObject({ found: 0 });
  });

  it('lets the group of an mgr shard move its primary', async () => {
    const assigned = (await shard('mgr')).nodes.find(({ role }) => role === 'replica');
    const acknowledged = await whileWriting(
      'mgr',
      async () => installation.done('manual_switch', await paras('mgr', assigned)),
      1,
    );
    expect((await source('mgr')).hostaddr).toBe(assigned?.hostaddr);
    await expectAllThere('mgr', acknowledged);
    await expectWhole('mgr');
  });

  it('says what is wrong with a request, and changes nothing', async () => {
    const primary = underscored(await source('rbr'));
    const replica = (await shard('rbr')).nodes.find(({ role }) => role === 'replica');
    if (replica === undefined) throw new Error('the shard has no replica');
    const mgrShard = String((await shard('mgr')).shard_id);
    const codes = {
      cluster: await refusal('rbr', { cluster_id: '4711' }),
      noCluster: await refusal('rbr', { cluster_id: '' }),
      shard: await refusal('rbr', { shard_id: mgrShard }),
      noShard: await refusal('rbr', { shard_id: 'x' }),
      noMaster: await refusal('rbr', { master_hostaddr: 'nobody' }),
      unknownMaster: await refusal('rbr', { master_hostaddr: '10.9.9.9_1' }),
      replicaAsMaster: await refusal('rbr', { master_hostaddr: underscored(replica) }),
      unknownTarget: await refusal('rbr', { assign_hostaddr: '10.9.9.9_1' }),
      primaryAsTarget: await refusal('rbr', { assign_hostaddr: primary }),
    };
    expect(codes).toEqual({
      cluster: '70503',
      noCluster: '70025',
      shard: '70027',
      noShard: '70024',
      noMaster: '70026',
      unknownMaster: '70030',
      replicaAsMaster: '70033',
      unknownTarget: '70032',
      primaryAsTarget: '70034',
    });
    expect(underscored(await source('rbr'))).toBe(primary);
  });

  it('puts the old primary back when the target turns out to be unfit after writes were stopped', async () => {
    const old = await source('rbr');
    const target = (await shard('rbr')).nodes.find(({ role }) => role === 'replica');
    if (target === undefined) throw new Error('the shard has no replica');
    await onNode('rbr', target, async (mysql) => {
      await mysql.query('SET GLOBAL super_read_only = OFF');
      await mysql.query('CREATE DATABASE errant');
      await mysql.query('SET GLOBAL super_read_only = ON');
    });
    const acknowledged = await whileWriting(
      'rbr',
      async () => {
        const job = await installation.run('manual_switch', await paras('rbr', target));
        expect(job).toMatchObject({ status: 'failed', error: { code: 70_020 } });
      },
      800_000,
    );
    expect(underscored(await source('rbr'))).toBe(underscored(old));
    await expectAllThere('rbr', acknowledged);
    expect((await records()).at(-1)).toMatchObject({ step: 'Fail', err_code: 70_020 });
  });
});
