import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterJson, JobJson, StorageNodeJson } from '../../../src/core/rest-types.ts';
import { clusterScope, type Credential } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../../src/engines/postgres/connection.ts';
import { numberOf, type SqlRow, type SqlSession } from '../../../src/engines/sql.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** Copies, restarts and catching up, on a machine that has other things to do as well. */
const testMs = 240_000;

let installation: TestInstallation;
let management: Credential;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.39', machines: 4 });
  await installation.done('create_cluster', {
    ha_mode: 'rbr',
    shards: '1',
    nodes: '3',
    comps: '1',
    dbcfg: '1',
  });
  management = await installation.account(clusterScope(clusterId(1)), 'management');
  await on(await source(), async (session) => {
    await session.query('CREATE DATABASE app');
    await session.query('CREATE TABLE app.t (id INT PRIMARY KEY)');
    await session.query('INSERT INTO app.t VALUES (1), (2), (3)');
  });
}, testMs);
afterAll(() => installation?.close());

async function cluster(): Promise<ClusterJson> {
  const [found] = (await installation.client.status()).clusters;
  if (found === undefined) throw new Error('there is no cluster');
  return found;
}

async function nodes(): Promise<readonly StorageNodeJson[]> {
  return (await cluster()).shards[0]?.nodes ?? [];
}

async function source(): Promise<StorageNodeJson> {
  const found = (await nodes()).find(({ role }) => role === 'source');
  if (found === undefined) throw new Error('no primary is recorded');
  return found;
}

async function replicas(): Promise<readonly StorageNodeJson[]> {
  return (await nodes()).filter(({ role }) => role === 'replica');
}

function on<T>(at: StorageNodeJson, run: (session: SqlSession) => Promise<T>): Promise<T> {
  const { hostaddr, port } = at;
  return withMysql(
    { hostaddr, port, ...management, connectTimeoutMs: 15_000 },
    AbortSignal.timeout(20_000),
    run,
  );
}

const rows = (at: StorageNodeJson, statement: string): Promise<readonly SqlRow[]> =>
  on(at, (session) => session.query(statement));

async function count(at: StorageNodeJson): Promise<number> {
  const [row] = await rows(at, 'SELECT COUNT(*) AS found FROM app.t');
  return row === undefined ? -1 : numberOf(row, 'found');
}

/** A write that `replicas` acknowledge, seen on all of them. */
async function expectReplicated(expected: number): Promise<void> {
  const primary = await source();
  await rows(primary, 'INSERT INTO app.t SELECT MAX(id) + 1 FROM app.t');
  const written = await count(primary);
  const others = await replicas();
  expect(others).toHaveLength(expected);
  for (const replica of others) {
    await expect.poll(() => count(replica), { timeout: 30_000 }).toBe(written);
    const [state] = await rows(replica, 'SELECT @@GLOBAL.super_read_only AS closed');
    expect(state).toEqual({ closed: 1 });
  }
  await expect.poll(() => acknowledging(primary), { timeout: 30_000 }).toBe(expected);
}

async function acknowledging(primary: StorageNodeJson): Promise<number> {
  const [row] = await rows(primary, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'");
  return row === undefined ? -1 : numberOf(row, 'Value');
}

const address = ({ hostaddr, port }: StorageNodeJson) => ({ hostaddr, port: String(port) });
const key = ({ hostaddr, port }: StorageNodeJson): string => `${hostaddr}_${String(port)}`;

interface NodeEntry {
  readonly status: string;
  readonly step: string;
  readonly errant_files: readonly string[];
}

function entryOf(job: JobJson, node: StorageNodeJson): NodeEntry {
  return job.attachment?.[key(node)] as unknown as NodeEntry;
}

describe('rebuild_node', { timeout: testMs }, () => {
  it('saves what only the node has, makes it again from another replica, and lets it serve', async () => {
    const [broken] = await replicas();
    if (broken === undefined) throw new Error('no replica');
    await on(broken, async (session) => {
      await session.query('SET GLOBAL super_read_only = OFF');
      await session.query('CREATE DATABASE only_here');
      await session.query('CREATE TABLE only_here.orders (id INT PRIMARY KEY, note VARCHAR(40))');
      await session.query("INSERT INTO only_here.orders VALUES (1, 'a write that nobody else has')");
    });
    const job = await installation.done('rebuild_node', {
      cluster_id: '1',
      shard_id: '1',
      rb_nodes: [{ ...address(broken), need_backup: '0', hdfs_host: 'hdfs' }],
      allow_pull_from_master: '0',
    });
    const entry = entryOf(job, broken);
    expect(entry).toMatchObject({ status: 'done', step: 'done' });
    expect(job.attachment?.['job_step']).toContain(entry.step);
    expect(entry.errant_files).toHaveLength(1);
    expect(await readFile(entry.errant_files[0] ?? '', 'utf8')).toContain('a write that nobody else has');
    expect(job.notes.join()).toContain(entry.errant_files[0]);
    expect(await rows(broken, "SHOW DATABASES LIKE 'only_here'")).toEqual([]);
    await expectReplicated(2);
  });

  it('rebuilds all replicas at once, one after the other, from the primary; a dead one too', async () => {
    const [dead, other] = await replicas();
    if (dead === undefined || other === undefined || dead.pid === null)
      throw new Error('two replicas wanted');
    // It can never start again.
    const { dataDirectory } = installation.machine(dead.hostaddr);
    const instance = (await readdir(dataDirectory)).find((name) => name.startsWith('cluster1-shard1-'));
    await rm(join(dataDirectory, instance ?? '', 'data', 'mysql.ibd'));
    process.kill(dead.pid, 'SIGKILL');
    await rows(await source(), 'INSERT INTO app.t VALUES (1000)');
    const job = await installation.done('rebuild_node', {
      cluster_id: '1',
      shard_id: '1',
      rb_nodes: [dead, other].map((node) => ({ ...address(node), pv_limit: '500' })),
      allow_pull_from_master: '1',
      allow_replica_delay: '15',
    });
    expect(entryOf(job, other)).toMatchObject({ status: 'done', errant_files: [] });
    const begun = (step: string): string =>
      job.steps.find(({ path }) => path.endsWith(step))?.started_at ?? '';
    expect(begun('wave_2/node_3/clear_old_data') > begun('wave_1/node_2/rebuild_sync')).toBe(true);
    await expectReplicated(2);
  });

  it('refuses the primary, nodes of elsewhere, a backup, and a shard without a source', async () => {
    const primary = await source();
    const [replica, other] = await replicas();
    if (replica === undefined || other === undefined) throw new Error('two replicas wanted');
    const refused = (nodesGiven: readonly Record<string, string>[]): Promise<unknown> =>
      installation.submit('rebuild_node', { cluster_id: '1', shard_id: '1', rb_nodes: nodesGiven });
    await expect(refused([address(primary)])).rejects.toThrow(/70041.*primary/s);
    await expect(refused([{ hostaddr: '127.0.0.9', port: '1' }])).rejects.toThrow(
      /must be a node of shard_1/,
    );
    await expect(refused([])).rejects.toThrow(/at least one node/);
    await expect(refused([{ ...address(replica), need_backup: '1' }])).rejects.toThrow(/no backup storage/);
    const job = await installation.run('rebuild_node', {
      cluster_id: '1',
      shard_id: '1',
      rb_nodes: [address(replica), address(other)],
    });
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'no_clone_source', code: 70_042 } });
    await expectReplicated(2);
  });
});

describe('set_cluster_variable', { timeout: testMs }, () => {
  const backlog = async (): Promise<readonly unknown[]> => {
    const found: unknown[] = [];
    for (const node of await nodes())
      found.push((await rows(node, 'SELECT @@back_log AS found'))[0]?.['found']);
    return found;
  };

  it('sets a variable that needs a restart on every storage node, and moves the primary away first', async () => {
    const before = await source();
    const job = await installation.done('set_cluster_variable', {
      cluster_id: '1',
      machine_type: 'storage',
      variable: 'back_log',
      value: '123',
    });
    expect(job.attachment).toEqual({ cluster_id: '1', restart: '1' });
    expect(await backlog()).toEqual([123, 123, 123]);
    expect(key(await source())).not.toBe(key(before));
    await expectReplicated(2);
  });

  it('sets one that needs none without restarting anything, and a setting of the compute nodes', async () => {
    const pids = (await nodes()).map(({ pid }) => pid);
    const paras = { cluster_id: '1', machine_type: 'storage', variable: 'long_query_time', value: '7.5' };
    expect((await installation.done('set_cluster_variable', paras)).attachment).toMatchObject({
      restart: '0',
    });
    for (const node of await nodes()) {
      expect(Number((await rows(node, 'SELECT @@GLOBAL.long_query_time AS found'))[0]?.['found'])).toBe(7.5);
    }
    expect((await nodes()).map(({ pid }) => pid)).toEqual(pids);
    const setting = {
      cluster_id: '1',
      machine_type: 'computer',
      variable: 'max_worker_processes',
      value: '9',
    };
    await installation.done('set_cluster_variable', setting);
    const superuser = await installation.account(clusterScope(clusterId(1)), 'compute_superuser');
    const [comp] = (await cluster()).comps;
    if (comp === undefined) throw new Error('no compute node');
    const { hostaddr, port } = comp;
    const found = await withPostgres(
      { hostaddr, port, ...superuser },
      AbortSignal.timeout(20_000),
      (session) => session.query('SHOW max_worker_processes'),
    );
    expect(found).toEqual([{ max_worker_processes: '9' }]);
  });

  it('puts the old value back when a server does not start with the new one', async () => {
    const former = await backlog();
    const paras = {
      cluster_id: '1',
      machine_type: 'storage',
      variable: 'lower_case_table_names',
      value: '1',
    };
    const job = await installation.run('set_cluster_variable', paras);
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'instance_start_failed' } });
    expect(await backlog()).toEqual(former);
    await expectReplicated(2);
  });

  it('refuses what the manager decides itself, and what does not exist', async () => {
    const paras = { cluster_id: '1', machine_type: 'storage', value: '0' };
    await expect(
      installation.submit('set_cluster_variable', { ...paras, variable: 'sync_binlog' }),
    ).rejects.toThrow(/70109.*acknowledged writes/s);
    const job = await installation.run('set_cluster_variable', { ...paras, variable: 'no_such_variable' });
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'variable_write' } });
  });
});

describe('add_nodes and delete_node', { timeout: testMs }, () => {
  it('adds nodes that are copies, count for commits, and are known to all', async () => {
    const job = await installation.done('add_nodes', { cluster_id: '1', nodes: '2' });
    const shape = job.attachment as unknown as {
      readonly storage_state: string;
      readonly shard_hosts: readonly Record<string, string>[];
      readonly list_shard: readonly { readonly list_node: readonly Record<string, string>[] }[];
    };
    expect(shape).toMatchObject({ cluster_id: '1', shard_id: '-2', nodes: '2', storage_state: 'done' });
    expect(shape.shard_hosts[0]?.['1']?.split(';')).toHaveLength(3);
    const ids = shape.list_shard[0]?.list_node.map((node) => node['node_id']);
    expect(ids).toEqual((await nodes()).slice(3).map(({ node_id: id }) => String(id)));
    expect((await nodes()).map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'active'));
    await expectReplicated(4);
    // What was set on the shard holds on new nodes too.
    for (const node of await nodes()) {
      expect((await rows(node, 'SELECT @@back_log AS found'))[0]?.['found']).toBe(123);
    }
  });

  it('deletes nodes, and refuses to delete the primary or more than commits can do without', async () => {
    const [gone, other, last, kept] = await replicas();
    if (gone === undefined || other === undefined || last === undefined || kept === undefined)
      throw new Error('four replicas wanted');
    const given = (node: StorageNodeJson) => ({ cluster_id: '1', shard_id: '1', ...address(node) });
    const primary = await source();
    await expect(installation.submit('delete_node', given(primary))).rejects.toThrow(/70172.*primary/s);
    const job = await installation.done('delete_node', given(gone));
    expect(job.attachment).toMatchObject({ storage_state: 'done', shard_id: '1' });
    expect((await nodes()).map(key)).not.toContain(key(gone));
    await expect(rows(gone, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
    await installation.done('delete_nodes', given(other));
    await installation.done('delete_node', given(last));
    await expectReplicated(1);
    await expect(installation.submit('delete_node', given(kept))).rejects.toThrow(/70007.*at least 2 nodes/s);
    await expect(
      installation.submit('delete_node', { ...given(kept), hostaddr: '127.0.0.9' }),
    ).rejects.toThrow(/70173/);
  });
});
