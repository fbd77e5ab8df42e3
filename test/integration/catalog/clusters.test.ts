import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Catalog } from '../../../src/catalog/catalog.ts';
import { metadataPurpose } from '../../../src/catalog/compute-access.ts';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { giveMissingAccess } from '../../../src/catalog/missing-access.ts';
import { firstRow, numberOf, textOf } from '../../../src/catalog/sql.ts';
import { instanceId } from '../../../src/core/ids.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { quoteIdentifier } from '../../../src/engines/mysql/quote.ts';
import { makeCluster, newMachine, type MadeCluster } from '../../support/catalog-fixtures.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

const host = '10.0.0.1';

let server: MetadataServer;
let database: MetadataDatabase;
let catalog: Catalog;
beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
  catalog = new Catalog(database, 'k'.repeat(43));
  await database.write(async (sql) => {
    await catalog.machines.insert(sql, newMachine({ hostaddr: host, machineType: 'storage' }));
    await catalog.machines.insert(sql, newMachine({ hostaddr: host, machineType: 'computer' }));
  });
});
afterAll(() => server?.stop());

beforeEach(async () => {
  const clusters = await database.read((sql) => catalog.clusters.list(sql));
  for (const { name } of clusters) await catalog.clusters.removeByName(name);
});

/** Rows of every table, by its name. */
function census(): Promise<Readonly<Record<string, number>>> {
  return database.administer(async (session) => {
    const names = await session.rows(
      `SELECT TABLE_NAME AS name FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'`,
    );
    const counts: Record<string, number> = {};
    for (const row of names) {
      const name = textOf(row, 'name');
      const [count] = await session.query(`SELECT COUNT(*) AS n FROM ${quoteIdentifier(name)}`);
      counts[name] = count === undefined ? -1 : numberOf(count, 'n');
    }
    return counts;
  });
}

/** One row as consoles see it. */
async function look(text: string): Promise<Readonly<Record<string, unknown>>> {
  const [row] = await database.read((sql) => sql.rows(text, [], (found) => found));
  return row ?? {};
}

describe('clusters', () => {
  it('get names that nobody else gets', async () => {
    const now = new Date('2024-05-06T07:08:09.900Z');
    const names = await Promise.all(
      Array.from({ length: 8 }, () => database.write((sql) => catalog.clusters.nextName(sql, now))),
    );
    expect(new Set(names).size).toBe(8);
    for (const name of names) expect(name).toMatch(/^cluster_1714979289_\d{6}$/);
  });

  it('are found by id, name and nick name; a repeated insert finds the same cluster', async () => {
    const given = { name: 'cluster_1_000001', nickName: 'shop', haMode: 'rbr' } as const;
    const id = await catalog.clusters.insert(given);
    expect(await catalog.clusters.insert(given)).toBe(id);
    await database.read(async (sql) => {
      const cluster = await catalog.clusters.find(sql, id);
      expect(cluster).toMatchObject({ ...given, id });
      expect(Math.abs(Date.now() - (cluster?.whenCreated.getTime() ?? 0))).toBeLessThan(60_000);
      expect(await catalog.clusters.findByName(sql, given.name)).toEqual(cluster);
      expect(await catalog.clusters.findByNickName(sql, 'shop')).toEqual([cluster]);
      expect(await catalog.clusters.findByNickName(sql, 'Shop')).toEqual([]);
    });
    await database.write((sql) => catalog.clusters.rename(sql, id, 'bücher'));
    expect((await database.read((sql) => catalog.clusters.find(sql, id)))?.nickName).toBe('bücher');
    await catalog.clusters.removeByName(given.name);
    await catalog.clusters.removeByName(given.name);
    expect(await database.read((sql) => catalog.clusters.find(sql, id))).toBeUndefined();
    const gone = database.write((sql) => catalog.clusters.rename(sql, id, 'x'));
    await expect(gone).rejects.toMatchObject({ kind: 'cluster_not_found' });
  });

  it('have a memo for consoles, without the password', async () => {
    const { id } = await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_2_000001' });
    await database.write((sql) =>
      catalog.clusters.changeMemo(sql, id, { comps: '2', computer_passwd: 'secret' }),
    );
    const text = await database.read((sql) =>
      firstRow(sql, 'SELECT memo FROM db_clusters WHERE id = ?', [id], (row) => textOf(row, 'memo')),
    );
    const expected = { innodb_size: '128', comps: '2', shards: '1', computer_passwd: '' };
    expect(JSON.parse(text ?? '')).toMatchObject(expected);
    expect(text).not.toContain('secret');
    expect(await database.read((sql) => catalog.clusters.memo(sql, id))).toMatchObject(expected);
  });

  it('leave nothing behind when they are removed, and other clusters as they were', async () => {
    await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_3_000001' });
    const before = await census();
    const { id, shardId } = await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_3_000002' });
    await database.write(async (sql) => {
      const values = [id, shardId];
      await sql.execute(
        "INSERT INTO rbr_consfailover (cluster_id, shard_id, taskid) VALUES (?, ?, 't')",
        values,
      );
      await sql.execute('INSERT INTO cluster_coldbackups (cluster_id, shard_id) VALUES (?, ?)', values);
      await sql.execute(
        "INSERT INTO cluster_alarm_info (cluster_id, shardid, alarm_type) VALUES (?, ?, 'x')",
        values,
      );
    });
    const between = await census();
    expect(Object.keys(between).filter((table) => between[table] !== before[table])).toEqual(
      expect.arrayContaining([
        'shard_nodes',
        'comp_nodes',
        'node_map_master',
        'kluster_instances',
        'kluster_ports',
        'kluster_credentials',
        'cluster_shard_topology',
        'commit_log_cluster_3_000002',
        'ddl_ops_log_cluster_3_000002',
      ]),
    );
    await catalog.clusters.removeByName('cluster_3_000002');
    expect(await census()).toEqual(before);
    expect(
      await look(
        "SELECT used_port FROM server_nodes WHERE hostaddr = '10.0.0.1' AND machine_type = 'storage'",
      ),
    ).toEqual({ used_port: '57001,57005,57009,' });
  });

  it('of earlier versions get their compute nodes an account at the metadata server, once', async () => {
    const { id, name } = await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_5_000001' });
    await catalog.clusterLogs.drop(name);
    const generation = async (): Promise<number> => {
      const { found } = await look(
        `SELECT generation AS found FROM kluster_topology WHERE cluster_id = ${String(id)}`,
      );
      return Number(found);
    };
    const before = await generation();
    const signal = AbortSignal.timeout(30_000);
    expect(await giveMissingAccess(catalog, signal)).toEqual([name]);
    expect(await giveMissingAccess(catalog, signal)).toEqual([]);
    expect(await generation()).toBe(before + 1);
    const account = (await catalog.credentials.read(clusterScope(id))).get(metadataPurpose);
    if (account === undefined) throw new Error('no account');
    const { hostaddr, port } = server;
    const decide = `INSERT INTO ${quoteIdentifier(database.name)}.commit_log_${name} (comp_node_id, txn_id, next_txn_cmd)
      SELECT 1, 1, 'commit' FROM DUAL WHERE FALSE`;
    await withMysql({ hostaddr, port, ...account }, signal, (session) => session.query(decide));
    const { partitions } = await look(
      `SELECT COUNT(*) AS partitions FROM information_schema.PARTITIONS JOIN comp_nodes AS comp
         ON PARTITION_NAME = CONCAT('p', comp.id) AND comp.db_cluster_id = ${String(id)}
        WHERE TABLE_NAME = 'commit_log_${name}'`,
    );
    expect(Number(partitions)).toBe(1);
  });

  it('keep the ports of instances that are still to be removed', async () => {
    const { name, prefix } = await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_4_000001' });
    const removal = {
      instanceId: instanceId(`${prefix}-shard1-node2`),
      hostaddr: host,
      agentPort: 23_100,
      reason: 'deleted while the machine was off',
    };
    await database.write((sql) => catalog.pendingRemovals.add(sql, removal));
    await database.write((sql) => catalog.pendingRemovals.add(sql, { ...removal, reason: 'again' }));
    await catalog.clusters.removeByName(name);
    await database.write(async (sql) => {
      expect((await catalog.ports.list(sql, host)).map((entry) => entry.owner)).toEqual([removal.instanceId]);
      expect(await catalog.pendingRemovals.list(sql, host)).toMatchObject([removal]);
      await catalog.pendingRemovals.remove(sql, removal);
      await catalog.ports.release(sql, removal.instanceId);
      expect(await catalog.pendingRemovals.list(sql)).toEqual([]);
    });
  });
});

describe('nodes', () => {
  let cluster: MadeCluster;
  beforeEach(async () => {
    cluster = await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_5_000001' });
  });
  const map = () =>
    database.read((sql) =>
      sql.rows('SELECT * FROM node_map_master ORDER BY node_host', [], (row) =>
        [textOf(row, 'node_host'), textOf(row, 'master_host'), textOf(row, 'master_uuid')].join(' '),
      ),
    );
  const storageNodes = () =>
    database.read((sql) => catalog.storageNodes.list(sql, { shardId: cluster.shardId }));

  it('are listed with their instances, and counted in their shard', async () => {
    await database.read(async (sql) => {
      const nodes = await catalog.storageNodes.list(sql, { clusterId: cluster.id });
      expect(nodes.map((node) => [node.hostaddr, node.port, node.memberState, node.status])).toEqual([
        [host, 57_001, 'source', 'active'],
        [host, 57_005, 'replica', 'active'],
        [host, 57_009, 'replica', 'active'],
      ]);
      expect(await catalog.storageNodes.findByAddress(sql, { hostaddr: host, port: 57_005 })).toEqual(
        nodes[1],
      );
      const instances = await catalog.instances.list(sql, { clusterId: cluster.id });
      expect(instances.map((instance) => [instance.kind, instance.port])).toEqual([
        ['compute', 47_001],
        ['storage', 57_001],
        ['storage', 57_005],
        ['storage', 57_009],
      ]);
      const [comp] = await catalog.computeNodes.list(sql, { clusterId: cluster.id });
      expect(comp).toMatchObject({ name: `comp${String(comp?.id)}`, port: 47_001, status: 'active' });
      expect(await catalog.instances.find(sql, instanceId(`${cluster.prefix}-shard1-node1`))).toMatchObject({
        kind: 'storage',
        clusterId: cluster.id,
        shardId: cluster.shardId,
        nodeId: nodes[0]?.id,
      });
    });
    expect(
      await look(`SELECT num_nodes, sync_num FROM shards WHERE id = ${String(cluster.shardId)}`),
    ).toEqual({
      num_nodes: 3,
      sync_num: 1,
    });
  });

  it('have a partition of the commit log for each compute node, and an id that is never used again', async () => {
    const partitions = () =>
      database.read((sql) =>
        sql.rows(
          `SELECT PARTITION_NAME AS name FROM information_schema.PARTITIONS
            WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY 1`,
          [`commit_log_${cluster.name}`],
          (row) => textOf(row, 'name'),
        ),
      );
    const [comp] = await database.read((sql) => catalog.computeNodes.list(sql, { clusterId: cluster.id }));
    if (comp === undefined) throw new Error('no compute node');
    expect(await partitions()).toEqual(['p0', `p${String(comp.id)}`]);
    await catalog.clusterLogs.addComputeNode(cluster.name, comp.id);
    await database.write((sql) =>
      sql.execute(
        `INSERT INTO ${quoteIdentifier(`commit_log_${cluster.name}`)} (comp_node_id, txn_id, next_txn_cmd)
         VALUES (?, 1, 'commit')`,
        [comp.id],
      ),
    );
    await catalog.clusterLogs.dropComputeNode(cluster.name, comp.id);
    await catalog.clusterLogs.dropComputeNode(cluster.name, comp.id);
    expect(await partitions()).toEqual(['p0']);
    await catalog.clusters.removeByName(cluster.name);
    const next = await makeCluster(catalog, { host, haMode: 'rbr', name: 'cluster_5_000002' });
    const [later] = await database.read((sql) => catalog.computeNodes.list(sql, { clusterId: next.id }));
    expect(later?.id).toBeGreaterThan(comp.id);
  });

  it('follow a change of the primary in node_map_master', async () => {
    const uuid = 'aaaaaaaa-0000-0000-0000-000000000001';
    const [, second] = await storageNodes();
    if (second === undefined) throw new Error('no second node');
    expect(await map()).toEqual([`${host}_57005 ${host}_57001 `, `${host}_57009 ${host}_57001 `]);
    const follows = [`${host}_57001 ${host}_57005 ${uuid}`, `${host}_57009 ${host}_57005 ${uuid}`];
    await database.write((sql) => catalog.storageNodes.setPrimary(sql, cluster.shardId, second.id, uuid));
    expect(await map()).toEqual(follows);
    await database.write((sql) => catalog.storageNodes.setPrimary(sql, cluster.shardId, second.id));
    expect(await map()).toEqual(follows);
    expect((await storageNodes()).map((node) => node.memberState)).toEqual(['replica', 'source', 'replica']);
  });

  it('only of the shard can become its primary', async () => {
    const [first] = await storageNodes();
    if (first === undefined) throw new Error('no node');
    const shard = await database.write((sql) =>
      catalog.shards.insert(sql, { clusterId: cluster.id, name: 'shard_2', fullsyncLevel: 1 }),
    );
    const wrong = database.write((sql) => catalog.storageNodes.setPrimary(sql, shard, first.id));
    await expect(wrong).rejects.toThrow(`is not a node of shard ${String(shard)}`);
    expect(await database.read((sql) => catalog.shards.highestNumber(sql, cluster.id))).toBe(2);
  });

  it('go with their rows when they are removed one by one', async () => {
    await database.write(async (sql) => {
      const nodes = await catalog.storageNodes.list(sql, { shardId: cluster.shardId });
      for (const node of [...nodes.slice(1), ...nodes.slice(1)])
        await catalog.storageNodes.remove(sql, node.id);
      const [comp] = await catalog.computeNodes.list(sql, { clusterId: cluster.id });
      if (comp !== undefined) await catalog.computeNodes.remove(sql, comp.id);
      expect(await catalog.instances.list(sql, { clusterId: cluster.id })).toHaveLength(1);
    });
    expect(await map()).toEqual([]);
    expect(await look(`SELECT num_nodes FROM shards WHERE id = ${String(cluster.shardId)}`)).toEqual({
      num_nodes: 1,
    });
  });

  it('of a group have no map: the group itself knows its primary', async () => {
    await catalog.clusters.removeByName(cluster.name);
    const group = await makeCluster(catalog, { host, haMode: 'mgr', name: 'cluster_6_000001' });
    expect(await map()).toEqual([]);
    await database.write(async (sql) => {
      const [, second] = await catalog.storageNodes.list(sql, { shardId: group.shardId });
      if (second !== undefined) await catalog.storageNodes.setPrimary(sql, group.shardId, second.id);
    });
    expect(await map()).toEqual([]);
  });

  it('carry their changes of state', async () => {
    await database.write(async (sql) => {
      const [node] = await catalog.storageNodes.list(sql, { shardId: cluster.shardId });
      const [comp] = await catalog.computeNodes.list(sql, { clusterId: cluster.id });
      if (node === undefined || comp === undefined) throw new Error('no nodes');
      await catalog.storageNodes.setStatus(sql, node.id, 'manual_stop');
      await catalog.storageNodes.setReplicaState(sql, node.id, { delaySeconds: 7, synchronous: false });
      await catalog.storageNodes.setCpuCores(sql, node.id, 1.5);
      await catalog.computeNodes.setStatus(sql, comp.id, 'inactive');
      await catalog.shards.setFullsyncLevel(sql, cluster.shardId, 2);
      await catalog.shards.setDegradeSetting(sql, cluster.shardId, { enabled: true, afterSeconds: 25 });
      const shard = await catalog.shards.find(sql, cluster.shardId);
      if (shard === undefined) throw new Error('the shard is gone');
      await catalog.shards.setAcknowledgements(sql, shard, 0);
      expect((await catalog.storageNodes.find(sql, node.id))?.status).toBe('manual_stop');
      expect((await catalog.computeNodes.find(sql, comp.id))?.status).toBe('inactive');
      expect((await catalog.shards.find(sql, cluster.shardId))?.fullsyncLevel).toBe(2);
      expect((await catalog.shards.find(sql, cluster.shardId))?.acknowledgements).toBe(0);
      expect((await catalog.shards.find(sql, cluster.shardId))?.degrade).toEqual({
        enabled: true,
        afterSeconds: 25,
      });
    });
    expect(
      await look("SELECT replica_delay, sync_state, cpu_cores FROM shard_nodes WHERE status = 'manual_stop'"),
    ).toEqual({ replica_delay: 7, sync_state: 'async', cpu_cores: 2 });
    expect(
      await look(`SELECT degrade_run_state AS now FROM shards WHERE id = ${String(cluster.shardId)}`),
    ).toEqual({
      now: 'ON',
    });
  });
});
