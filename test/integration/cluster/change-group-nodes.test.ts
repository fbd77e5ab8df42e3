import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope, type Credential } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { numberOf, type SqlRow } from '../../../src/engines/sql.ts';
import { expectHealthy } from '../../support/healthy.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** Members of a group join and leave with view changes of seconds. */
const testMs = 300_000;

let installation: TestInstallation;
let management: Credential;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.40', machines: 4 });
  await installation.done('create_cluster', {
    ha_mode: 'mgr',
    shards: '1',
    nodes: '3',
    comps: '1',
    dbcfg: '1',
  });
  management = await installation.account(clusterScope(clusterId(1)), 'management');
  const primary = await source();
  await rows(primary, 'CREATE DATABASE app');
  await rows(primary, 'CREATE TABLE app.t (id INT PRIMARY KEY)');
  await rows(primary, 'INSERT INTO app.t VALUES (1)');
}, testMs);
afterAll(() => installation?.close());

async function nodes(): Promise<readonly StorageNodeJson[]> {
  const [cluster] = (await installation.client.status()).clusters;
  return cluster?.shards[0]?.nodes ?? [];
}

async function source(): Promise<StorageNodeJson> {
  const found = (await nodes()).find(({ role }) => role === 'source');
  if (found === undefined) throw new Error('no primary is recorded');
  return found;
}

async function replica(): Promise<StorageNodeJson> {
  const found = (await nodes()).find(({ role }) => role === 'replica');
  if (found === undefined) throw new Error('no replica');
  return found;
}

function rows({ hostaddr, port }: StorageNodeJson, statement: string): Promise<readonly SqlRow[]> {
  return withMysql(
    { hostaddr, port, ...management, connectTimeoutMs: 15_000 },
    AbortSignal.timeout(20_000),
    (session) => session.query(statement),
  );
}

async function count(node: StorageNodeJson): Promise<number> {
  const [row] = await rows(node, 'SELECT COUNT(*) AS found FROM app.t');
  return row === undefined ? -1 : numberOf(row, 'found');
}

/** A group of so many members that are online, with a write on all of them. */
async function expectGroup(members: number): Promise<void> {
  const primary = await source();
  const online =
    "SELECT COUNT(*) AS found FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'";
  const [row] = await rows(primary, online);
  expect(row).toEqual({ found: members });
  await rows(primary, 'INSERT INTO app.t SELECT MAX(id) + 1 FROM app.t');
  const written = await count(primary);
  const all = await nodes();
  expect(all.map(({ status }) => status)).toEqual(Array.from({ length: members }, () => 'active'));
  for (const node of all) await expect.poll(() => count(node), { timeout: 30_000 }).toBe(written);
}

const given = ({ hostaddr, port }: StorageNodeJson) => ({ hostaddr, port: String(port) });

describe('a cluster of replication groups', { timeout: testMs }, () => {
  it('gets a second group as a shard, which is deleted again', async () => {
    await installation.done('add_shards', { cluster_id: '1', shards: '1', nodes: '3' });
    const [, added] = (await installation.client.cluster('1')).shards;
    if (added === undefined) throw new Error('there is no second shard');
    const primary = added.nodes.find(({ role }) => role === 'source');
    if (primary === undefined) throw new Error('the second shard has no primary');
    const members = 'SELECT MEMBER_STATE AS state FROM performance_schema.replication_group_members';
    expect(await rows(primary, members)).toEqual(Array.from({ length: 3 }, () => ({ state: 'ONLINE' })));
    await rows(primary, 'CREATE DATABASE other');
    await expectHealthy(installation.client);
    await rows(primary, 'DROP DATABASE other');
    await installation.done('delete_shard', { cluster_id: '1', shard_id: String(added.shard_id) });
    expect((await installation.client.cluster('1')).shards).toHaveLength(1);
    await expectGroup(3);
  });
});

describe('nodes of a replication group', { timeout: testMs }, () => {
  it('one is added', async () => {
    await installation.done('add_nodes', { cluster_id: '1', shard_id: '1', nodes: '1' });
    await expectGroup(4);
  });

  it('one is rebuilt', async () => {
    const node = await replica();
    await installation.done('rebuild_node', { cluster_id: '1', shard_id: '1', rb_nodes: [given(node)] });
    await expectGroup(4);
  });

  it('one is deleted', async () => {
    const node = await replica();
    await installation.done('delete_node', { cluster_id: '1', shard_id: '1', ...given(node) });
    await expectGroup(3);
  });

  it('no more than a group can have are added', async () => {
    const request = { cluster_id: '1', shard_id: '1', nodes: '7' };
    await expect(installation.submit('add_nodes', request)).rejects.toThrow(/70156.*at most 9/s);
  });
});
