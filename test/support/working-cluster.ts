import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ManagerClient } from '../../src/client/manager.ts';
import type { ClusterJson } from '../../src/core/rest-types.ts';
import { unseal } from '../../src/core/seal.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { isSuperReadOnly } from '../../src/engines/mysql/read-only.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import { readShardIdentity } from '../../src/engines/postgres/shards.ts';
import { numberOf, textOf, type SqlSession } from '../../src/engines/sql.ts';
import { readTextFile } from '../../src/manager/json-file.ts';
import { onMetadata, type Inspected } from './nothing-left.ts';

interface Account {
  readonly user: string;
  readonly password: string;
}

interface Running extends Inspected {
  readonly client: ManagerClient;
}

/** On a machine that has much else to do. */
const deadlineMs = 60_000;
const connectMs = 30_000;
const replicationMs = 30_000;
const signal = (): AbortSignal => AbortSignal.timeout(deadlineMs);

/** The accounts that the manager has made for a cluster. */
async function accountsOf(installation: Inspected, clusterId: number): Promise<ReadonlyMap<string, Account>> {
  const key = (await readTextFile(installation.home.keyFile))?.trim() ?? '';
  const rows = await onMetadata(installation, (session) =>
    session.rows('SELECT purpose, user_name, sealed_password FROM kluster_credentials WHERE scope = ?', [
      `cluster:${String(clusterId)}`,
    ]),
  );
  return new Map(
    rows.map((row) => [
      textOf(row, 'purpose'),
      {
        user: textOf(row, 'user_name'),
        password: unseal(key, 'catalog-credentials', textOf(row, 'sealed_password')),
      },
    ]),
  );
}

function account(accounts: ReadonlyMap<string, Account>, purpose: string): Account {
  const found = accounts.get(purpose);
  if (found === undefined) throw new Error(`the cluster has no account ${purpose}`);
  return found;
}

/**
 * What a user expects of a cluster that is said to be made: complete for status and consoles, one writable primary per
 * shard, a write on it visible on every replica, and compute nodes that read every shard.
 */
export async function expectWorkingCluster(
  installation: Running,
  clusterId: number,
  shape: { readonly shards: number; readonly nodes: number; readonly comps: number },
): Promise<void> {
  const cluster = await installation.client.cluster(String(clusterId));
  expectComplete(cluster, shape);
  await expectRecorded(installation, shape);
  const accounts = await accountsOf(installation, clusterId);
  for (const shard of cluster.shards) await expectReplication(shard.nodes, account(accounts, 'management'));
  for (const { hostaddr, port } of cluster.comps) {
    const address = {
      hostaddr,
      port,
      ...account(accounts, 'compute_superuser'),
      connectTimeoutMs: connectMs,
    };
    for (const { shard_name: name } of cluster.shards) {
      const identity = await withPostgres(address, signal(), (session) => readShardIdentity(session, name));
      expect(identity).toEqual({ clusterName: cluster.cluster_name, shardName: name });
    }
  }
}

function expectComplete(
  cluster: ClusterJson,
  shape: { readonly shards: number; readonly nodes: number; readonly comps: number },
): void {
  const node = { status: 'active', pid: expect.any(Number) as number };
  expect(cluster.shards).toHaveLength(shape.shards);
  expect(cluster.comps).toHaveLength(shape.comps);
  for (const comp of cluster.comps) expect(comp).toMatchObject(node);
  for (const shard of cluster.shards) {
    expect(shard.nodes).toHaveLength(shape.nodes);
    for (const storage of shard.nodes) expect(storage).toMatchObject(node);
    expect(shard.nodes.filter(({ role }) => role === 'source')).toHaveLength(1);
    expect(new Set(shard.nodes.map(({ hostaddr, port }) => `${hostaddr}:${String(port)}`)).size).toBe(
      shape.nodes,
    );
  }
}

/** Consoles call a cluster without memo abnormal; ports of engines that run are used, none is being installed. */
async function expectRecorded(
  installation: Inspected,
  shape: { readonly shards: number; readonly nodes: number; readonly comps: number },
): Promise<void> {
  const found = await onMetadata(installation, async (session) => ({
    memos: await session.query('SELECT COUNT(*) AS found FROM db_clusters WHERE memo IS NOT NULL'),
    ports: await session.query("SELECT COUNT(*) AS found FROM kluster_ports WHERE state = 'used'"),
    installing: await session.query(
      "SELECT (SELECT COUNT(*) FROM kluster_ports WHERE state <> 'used') + " +
        '(SELECT COUNT(*) FROM server_nodes WHERE installing_port IS NOT NULL) AS found',
    ),
  }));
  const counts = Object.fromEntries(
    Object.entries(found).map(([name, [row]]) => [name, row === undefined ? 0 : numberOf(row, 'found')]),
  );
  expect(counts).toEqual({ memos: 1, ports: shape.shards * shape.nodes + shape.comps, installing: 0 });
}

async function expectReplication(
  nodes: ClusterJson['shards'][number]['nodes'],
  management: Account,
): Promise<void> {
  const on = <T>(node: (typeof nodes)[number], run: (session: SqlSession) => Promise<T>): Promise<T> =>
    withMysql(
      { hostaddr: node.hostaddr, port: node.port, ...management, connectTimeoutMs: connectMs },
      signal(),
      run,
    );
  const writable: string[] = [];
  for (const node of nodes) if (!(await on(node, isSuperReadOnly))) writable.push(node.role);
  expect(writable).toEqual(['source']);
  for (const node of nodes.filter(({ role }) => role === 'source')) {
    await on(node, async (session) => {
      await session.query('CREATE DATABASE IF NOT EXISTS proof');
      await session.query('CREATE TABLE IF NOT EXISTS proof.written (id INT PRIMARY KEY)');
      await session.query('REPLACE INTO proof.written VALUES (42)');
    });
  }
  for (const node of nodes.filter(({ role }) => role === 'replica')) await on(node, expectArrived);
  // A shard that holds a table is not deleted.
  for (const node of nodes.filter(({ role }) => role === 'source')) {
    await on(node, (session) => session.query('DROP DATABASE proof'));
  }
}

async function expectArrived(session: SqlSession): Promise<void> {
  const deadline = performance.now() + replicationMs;
  for (;;) {
    try {
      const [row] = await session.query('SELECT COUNT(*) AS found FROM proof.written WHERE id = 42');
      if (row !== undefined && numberOf(row, 'found') === 1) return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    if (performance.now() > deadline) throw new Error('a write on the primary did not reach a replica');
    await sleep(50);
  }
}
