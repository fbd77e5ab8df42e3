import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../../src/core/json.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { bootstrapGroup, leaveGroup, prepareMember } from '../../../src/engines/mysql/group.ts';
import { answerImmediately } from '../../../src/http/immediate.ts';
import { queries } from '../../../src/queries/all.ts';
import { countJobs } from '../../../src/queries/count-jobs.ts';
import { LiveTopology } from '../../../src/queries/topology.ts';
import { management, startSmallCluster, type SmallCluster } from '../../support/small-cluster.ts';

let cluster: SmallCluster;
let topology: LiveTopology;
// Group replication takes only an address that an interface has, and of 127.0.0.0/8 lo has this one.
const place = { hostaddr: '127.0.0.1', agentPort: 25_602, storagePort: 25_611, computePort: 25_681 };
const signal = new AbortController().signal;

beforeAll(async () => {
  cluster = await startSmallCluster(place);
  topology = new LiveTopology(cluster.services, { metadataPid: () => 4711 });
});
afterAll(() => cluster.stop());

function ask(jobType: string, paras?: Json) {
  const query = queries.find((candidate) => candidate.jobType === jobType);
  if (query === undefined) throw new Error(`there is no query ${jobType}`);
  return answerImmediately(query, { services: cluster.services, paras, gone: signal });
}

const storageAddress = { hostaddr: place.hostaddr, port: String(place.storagePort) };
const computeAddress = { hostaddr: place.hostaddr, port: String(place.computePort) };

describe('queries', () => {
  it('tell about the metadata cluster', async () => {
    expect(await ask('get_meta_mode', [])).toEqual({ mode: 'no_rep' });
    const { hostaddr, port } = cluster.metadata;
    expect(await ask('get_meta_summary')).toEqual({
      list_meta: [{ hostaddr, port: String(port), master: 'true', status: 'online' }],
    });
  });

  it('list machines once per host', async () => {
    expect(await ask('get_machine_summary')).toEqual({
      list_machine: [{ hostaddr: place.hostaddr, status: 'online' }],
    });
  });

  it('list clusters, every value a text', async () => {
    expect(await ask('get_cluster_summary')).toEqual({
      list_cluster: [
        {
          cluster_id: String(cluster.clusterId),
          cluster_name: cluster.clusterName,
          name: cluster.clusterName,
          nick_name: 'shop',
          ha_mode: 'no_rep',
          shards: '1',
          comps: '1',
          storage_offine: '0',
          computer_offine: '0',
        },
      ],
    });
  });

  it('describe one cluster', async () => {
    expect(await ask('get_cluster_detail', { cluster_name: cluster.clusterName })).toMatchObject({
      cluster_name: cluster.clusterName,
      nick_name: 'shop',
      shards: '1',
      comps: '1',
      list_shard: [
        {
          shard_name: 'shard_1',
          nodes: '1',
          list_node: [{ ...storageAddress, master: 'true', status: 'online' }],
        },
      ],
      list_comp: [{ ...computeAddress, status: 'online' }],
    });
  });

  it('let somebody log in to a console: no name, no detail, no error', async () => {
    for (const paras of [undefined, {}, [], { cluster_name: '' }]) {
      expect(await ask('get_cluster_detail', paras)).toBeNull();
    }
  });

  it('know which cluster there is not', async () => {
    const asked = ask('get_cluster_detail', { cluster_name: 'cluster_1_000009' });
    await expect(asked).rejects.toMatchObject({ kind: 'cluster_not_found', code: 70_503 });
  });

  it('list no backup storage while there is none', async () => {
    expect(await ask('get_backup_storage')).toEqual({ list_backup_storage: [] });
  });
});

describe('get_variable', () => {
  it('reads a storage node', async () => {
    expect(await ask('get_variable', { ...storageAddress, variable: 'port' })).toEqual({
      result: 'true',
      value: String(place.storagePort),
    });
    expect(await ask('get_variable', { ...storageAddress, variable: 'SYNC_BINLOG' })).toMatchObject({
      value: '1',
    });
  });

  it('reads a compute node', async () => {
    expect(await ask('get_variable', { ...computeAddress, variable: 'port' })).toEqual({
      result: 'true',
      value: String(place.computePort),
    });
    expect(await ask('get_variable', { ...computeAddress, variable: 'Fsync' })).toMatchObject({
      value: 'on',
    });
  });

  it.each([
    ['no such variable', { ...storageAddress, variable: "x' OR '1'='1" }, /has no variable/],
    ['no such setting', { ...computeAddress, variable: 'no_such_thing' }, /has no variable/],
    ['no such node', { hostaddr: place.hostaddr, port: '25999', variable: 'port' }, /127\.0\.0\.1:25999/],
  ])('says with code 70108 that there is %s', async (_what, paras, reason) => {
    const failure = await ask('get_variable', paras).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 70_108,
      kind: 'variable_read',
      message: expect.stringMatching(reason),
    });
  });

  it('names what is missing in the request', async () => {
    await expect(ask('get_variable', {})).rejects.toMatchObject({ code: 70_108, kind: 'invalid_parameters' });
  });
});

describe('status', () => {
  it('joins the catalog with the processes that the agents see', async () => {
    expect(await topology.status(signal)).toEqual({
      metadata: { mode: 'no_rep', nodes: [{ ...cluster.metadata, role: 'source', pid: 4711 }] },
      machines: [{ hostaddr: place.hostaddr, roles: ['storage', 'computer'], status: 'online' }],
      clusters: [
        {
          cluster_id: cluster.clusterId,
          cluster_name: cluster.clusterName,
          nick_name: 'shop',
          ha_mode: 'no_rep',
          shards: [
            {
              shard_id: expect.any(Number),
              shard_name: 'shard_1',
              state: null,
              reason: null,
              nodes: [
                {
                  node_id: expect.any(Number),
                  hostaddr: place.hostaddr,
                  port: place.storagePort,
                  role: 'source',
                  status: 'active',
                  pid: cluster.storage.pid,
                  datadir: cluster.storage.datadir,
                },
              ],
            },
          ],
          comps: [
            {
              comp_id: expect.any(Number),
              comp_name: expect.stringMatching(/^comp\d+$/),
              hostaddr: place.hostaddr,
              port: place.computePort,
              status: 'active',
              pid: cluster.compute.pid,
              datadir: cluster.compute.datadir,
            },
          ],
        },
      ],
    });
    expect(cluster.storage.pid).toBeGreaterThan(1);
  });

  it.each([['id'], ['name'], ['nick name']])('finds a cluster by its %s', async (by) => {
    const key = { id: String(cluster.clusterId), name: cluster.clusterName }[by] ?? 'shop';
    expect(await topology.cluster(key, signal)).toMatchObject({ cluster_id: cluster.clusterId });
  });

  it('refuses a nick name that several clusters have, naming their ids', async () => {
    const { catalog } = cluster.services;
    const twin = await catalog.clusters.insert({ name: 'cluster_1_000002', nickName: 'shop', haMode: 'rbr' });
    try {
      await expect(topology.cluster('shop', signal)).rejects.toThrow(
        new RegExp(`${String(cluster.clusterId)}, ${String(twin)}`),
      );
      expect(await topology.clusters(signal)).toHaveLength(2);
    } finally {
      await catalog.clusters.removeByName('cluster_1_000002');
    }
  });

  it('believes a group rather than the catalog about who is the primary', async () => {
    const { catalog } = cluster.services;
    const { hostaddr, storagePort: port } = place;
    await catalog.database.write(async (sql) => {
      await sql.execute("UPDATE db_clusters SET ha_mode = 'mgr'");
      await sql.execute("UPDATE shard_nodes SET member_state = 'replica'");
    });
    const role = async (): Promise<unknown> => {
      const { shards } = await topology.cluster('shop', signal);
      return shards[0]?.nodes[0]?.role;
    };
    try {
      // No group yet: nobody can tell, and the catalog's word stands.
      expect(await role()).toBe('replica');
      await withMysql({ hostaddr, port, ...management }, signal, async (session) => {
        await prepareMember(session, { seeds: [{ hostaddr, port: port + 2 }], recovery: management });
        await bootstrapGroup(session);
      });
      await expect.poll(role, { timeout: 20_000 }).toBe('source');
    } finally {
      await withMysql({ hostaddr, port, ...management }, signal, leaveGroup);
      await catalog.database.write(async (sql) => {
        await sql.execute("UPDATE db_clusters SET ha_mode = 'no_rep'");
        await sql.execute("UPDATE shard_nodes SET member_state = 'source'");
      });
    }
  });

  it('counts the jobs for /metrics', async () => {
    const { catalog } = cluster.services;
    await catalog.database.write((sql) =>
      sql.execute(
        "INSERT INTO cluster_general_job_log (job_type, status, user_name) VALUES ('create_cluster', 'done', 'dba')",
      ),
    );
    expect(await countJobs(catalog, signal)).toEqual([
      { jobType: 'create_cluster', status: 'done', count: 1 },
    ]);
  });

  it('says what a silent agent leaves unknown, without waiting for it long', async () => {
    await cluster.silenceAgent();
    const started = performance.now();
    const status = await topology.status(signal);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(status.machines).toMatchObject([{ status: 'offline' }]);
    expect(status.clusters[0]?.shards[0]?.nodes).toMatchObject([
      { status: 'unreachable', pid: null, datadir: null, role: 'source' },
    ]);
    expect(await ask('get_machine_summary')).toEqual({
      list_machine: [{ hostaddr: place.hostaddr, status: 'offline' }],
    });
  });
});
