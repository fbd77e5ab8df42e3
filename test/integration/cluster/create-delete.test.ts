import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readShardIdentity } from '../../../src/engines/postgres/shards.ts';
import { isJsonObject } from '../../../src/core/json.ts';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { numberOf, textOf } from '../../../src/engines/sql.ts';
import { CatalogProbe, type ProbedCluster } from '../../support/catalog-probe.ts';
import { TestInstallation } from '../../support/installation.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const network = '127.0.22';
/** The third and fourth machine are each alone in their rack. */
const racks = ['a', 'a', 'b', 'c'];
const small = { nodes: '3', shards: '1', comps: '1', dbcfg: '1' };

let installation: TestInstallation;
let probe: CatalogProbe;

beforeAll(async () => {
  installation = await TestInstallation.prepare(await scratchDirectory(), { network, machines: 4 });
  for (const { hostaddr } of installation.machines) await installation.startAgent(hostaddr);
  await installation.startManager();
  for (const [index, machine] of installation.machines.entries()) {
    await installation.register(machine, { rack_id: racks[index] ?? '' });
  }
  probe = await CatalogProbe.open(installation.home);
});
afterAll(async () => {
  await probe?.close();
  await installation.close();
});

function clusterIdOf(job: JobJson): number {
  return Number(job.attachment?.['cluster_id']);
}

async function created(paras: Record<string, unknown>): Promise<ProbedCluster> {
  const job = await installation.done('create_cluster', { ...small, ...paras });
  return probe.cluster(clusterIdOf(job));
}

/** Clusters of a file are deleted before the next one is made, so nothing of any may be there. */
async function deleted(cluster: ProbedCluster): Promise<void> {
  await installation.done('delete_cluster', { cluster_id: String(cluster.id) });
  await expectNothingLeft(installation);
}

describe('rbr: two shards of three nodes, two compute nodes', () => {
  let cluster: ProbedCluster;

  beforeAll(async () => {
    cluster = await created({
      nick_name: 'orders',
      ha_mode: 'rbr',
      shards: '2',
      comps: '2',
      fullsync_level: '2',
      cpu_cores: '2',
      cpu_limit_mode: 'quota',
      innodb_size: '48',
      max_connections: '30',
      computer_user: 'app',
    });
  });
  afterAll(() => deleted(cluster));

  it('spreads the nodes of each shard over machines and racks, and the primaries over machines', () => {
    const rackOf = (hostaddr: string): string | undefined =>
      racks[installation.machines.findIndex((machine) => machine.hostaddr === hostaddr)];
    for (const { primary, replicas } of cluster.shards) {
      const hosts = [primary, ...replicas].map(({ hostaddr }) => hostaddr);
      expect(new Set(hosts).size).toBe(3);
      expect(new Set(hosts.map(rackOf))).toEqual(new Set(['a', 'b', 'c']));
    }
    expect(new Set(cluster.shards.map(({ primary }) => primary.hostaddr)).size).toBe(2);
    expect(new Set(cluster.comps.map(({ hostaddr }) => hostaddr)).size).toBe(2);
  });

  it('has exactly one writable node per shard, GTIDs and channel kunlun_repl on all replicas', async () => {
    const settings =
      'SELECT @@super_read_only AS closed, @@gtid_mode AS gtid, @@enforce_gtid_consistency AS strict, ' +
      '@@sync_binlog AS binlog, @@innodb_flush_log_at_trx_commit AS redo';
    const durable = { gtid: 'ON', strict: 'ON', binlog: 1, redo: 1 };
    for (const { primary, replicas } of cluster.shards) {
      expect(await probe.storageRow(primary, settings)).toMatchObject({ closed: 0, ...durable });
      for (const replica of replicas) {
        expect(await probe.storageRow(replica, settings)).toMatchObject({ closed: 1, ...durable });
        const channel = await probe.onStorage(replica, (session) => session.query('SHOW REPLICA STATUS'));
        expect(channel).toMatchObject([
          {
            Channel_Name: 'kunlun_repl',
            Source_Host: primary.hostaddr,
            Source_Port: primary.port,
            Replica_IO_Running: 'Yes',
            Replica_SQL_Running: 'Yes',
            Auto_Position: 1,
          },
        ]);
      }
    }
  });

  it('commits only when fullsync_level replicas have the transaction', async () => {
    const [shard] = cluster.shards;
    if (shard === undefined) throw new Error('no shard');
    const [stopped] = shard.replicas;
    if (stopped === undefined) throw new Error('no replica');
    expect(
      await probe.storageRow(
        shard.primary,
        `SELECT @@rpl_semi_sync_source_enabled AS enabled, @@rpl_semi_sync_source_wait_for_replica_count AS acks,
                @@rpl_semi_sync_source_wait_point AS point`,
      ),
    ).toEqual({ enabled: 1, acks: 2, point: 'AFTER_SYNC' });
    // Two acknowledgements are wanted and one replica is left: the commit must hang until the other one is back.
    await probe.onStorage(stopped, (session) =>
      session.query('STOP REPLICA IO_THREAD FOR CHANNEL "kunlun_repl"'),
    );
    let committed = false;
    const commit = probe
      .onStorage(shard.primary, (session) => session.query('CREATE DATABASE semisync_probe'))
      .finally(() => {
        committed = true;
      });
    await new Promise((resolve) => setTimeout(resolve, 700));
    const waited = !committed;
    await probe.onStorage(stopped, (session) =>
      session.query('START REPLICA IO_THREAD FOR CHANNEL "kunlun_repl"'),
    );
    await commit;
    await probe.onStorage(shard.primary, (session) => session.query('DROP DATABASE semisync_probe'));
    expect(waited).toBe(true);
  });

  it('lets applications read every shard through every compute node with the recorded account', async () => {
    const rows = await probe.rows(
      'SELECT hostaddr, port, user_name, passwd FROM comp_nodes WHERE db_cluster_id = ?',
      [cluster.id],
    );
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(textOf(row, 'user_name')).toBe('app');
      expect(textOf(row, 'passwd').length).toBeGreaterThanOrEqual(16);
    }
    const application = await probe.account(cluster.id, 'application');
    expect(rows.map((row) => textOf(row, 'passwd'))).toEqual([application.password, application.password]);
    for (const comp of cluster.comps) {
      for (const shard of cluster.shards) {
        const found = await probe.onCompute(comp, async (session) => {
          await session.query(
            `CREATE FOREIGN TABLE IF NOT EXISTS seen_${shard.name} (cluster_name text, shard_name text) SERVER kluster
               OPTIONS (shard '${String(shard.id)}', remote_database 'kunlun_sysdb', remote_table 'cluster_info')`,
          );
          return session.query(`SELECT cluster_name, shard_name FROM seen_${shard.name}`);
        });
        expect(found).toEqual([{ cluster_name: cluster.name, shard_name: shard.name }]);
      }
    }
  });

  it('applies innodb_size and max_connections, and reads and sets variables on both kinds of node', async () => {
    const [shard] = cluster.shards;
    const [comp] = cluster.comps;
    if (shard === undefined || comp === undefined) throw new Error('no shard or no compute node');
    const read = async (at: { hostaddr: string; port: number }, variable: string): Promise<unknown> => {
      const { hostaddr, port } = at;
      const reply = await installation.emit({
        job_type: 'get_variable',
        paras: { hostaddr, port: String(port), variable },
      });
      expect(reply).toMatchObject({ error_code: '0', status: 'done', attachment: { result: 'true' } });
      return isJsonObject(reply['attachment']) ? reply['attachment']['value'] : undefined;
    };
    const write = (at: { hostaddr: string; port: number }, variable: string, value: string) =>
      installation.emit({
        job_type: 'set_variable',
        paras: { hostaddr: at.hostaddr, port: String(at.port), variable, value },
      });
    // InnoDB rounds a buffer pool up to whole chunks; 48 MiB is fewer than one of 128 MiB.
    expect(Number(await read(shard.primary, 'innodb_buffer_pool_size'))).toBeGreaterThanOrEqual(
      48 * 1024 * 1024,
    );
    expect(Number(await read(shard.primary, 'innodb_buffer_pool_size'))).toBeLessThanOrEqual(
      64 * 1024 * 1024,
    );
    // Every client of either compute node may need a connection to the shard.
    expect(Number(await read(shard.primary, 'max_connections'))).toBeGreaterThanOrEqual(60);
    // On top of its clients' it keeps connections for superusers, who include the manager.
    expect(Number(await read(comp, 'max_connections'))).toBeGreaterThan(30 + 3);
    expect(await write(shard.primary, 'long_query_time', '3')).toMatchObject({ error_code: '0' });
    expect(await read(shard.primary, 'long_query_time')).toBe('3.000000');
    expect(await write(comp, 'log_min_duration_statement', '1234')).toMatchObject({ error_code: '0' });
    expect(await read(comp, 'log_min_duration_statement')).toBe('1234ms');
  });

  it('gives consoles, replicas and compute nodes no more than they need', async () => {
    const [shard] = cluster.shards;
    if (shard === undefined) throw new Error('no shard');
    const grants = async (purpose: 'monitor' | 'replication' | 'compute'): Promise<string> => {
      const { user } = await probe.account(cluster.id, purpose);
      const rows = await probe.onStorage(shard.primary, (session) =>
        session.query(`SHOW GRANTS FOR '${user}'@'%'`),
      );
      return rows.flatMap((row) => Object.values(row).map(String)).join('\n');
    };
    expect(await grants('monitor')).not.toMatch(/INSERT|UPDATE|DELETE|CREATE|SUPER|SELECT[^;\n]* ON \*\.\*/);
    expect(await grants('replication')).not.toMatch(/SELECT|INSERT|UPDATE|DELETE|SUPER|CREATE/);
    expect(await grants('compute')).not.toMatch(
      /SUPER|CREATE USER|RELOAD|SHUTDOWN|SYSTEM_VARIABLES_ADMIN|GRANT OPTION/,
    );
    const [row] = await probe.rows(
      'SELECT user_name, passwd FROM shard_nodes WHERE db_cluster_id = ? LIMIT 1',
      [cluster.id],
    );
    const monitor = await probe.account(cluster.id, 'monitor');
    expect(row).toEqual({ user_name: monitor.user, passwd: monitor.password });
    const [role] = await probe.onCompute(cluster.comps[0] ?? expect.fail('no compute node'), (session) =>
      session.query(
        'SELECT rolsuper, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user',
      ),
    );
    expect(role).toEqual({ rolsuper: false, rolreplication: false, rolbypassrls: false });
  });

  it.skipIf(process.getuid?.() !== 0)('keeps every node within its cpu quota', async () => {
    for (const path of await cgroups(cluster.id)) {
      expect(await cpuQuota(path)).toBe(2);
    }
  });

  it('keeps a small node below 250 MiB resident', async () => {
    const { clusters } = await installation.client.status();
    const nodes =
      clusters.find(({ cluster_id: id }) => id === cluster.id)?.shards.flatMap((shard) => shard.nodes) ?? [];
    expect(nodes).toHaveLength(6);
    for (const { pid } of nodes) {
      const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
      expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])).toBeLessThanOrEqual(250 * 1024);
    }
  });
});

/** The directories of the cpu cgroups that a cluster's processes are in. */
async function cgroups(cluster: number): Promise<readonly string[]> {
  const { clusters } = await installation.client.status();
  const found = clusters.find(({ cluster_id: id }) => id === cluster);
  const nodes = [...(found?.shards.flatMap((shard) => shard.nodes) ?? []), ...(found?.comps ?? [])];
  expect(nodes.length).toBeGreaterThan(0);
  return Promise.all(
    nodes.map(async ({ pid }) => {
      const memberships = await readFile(`/proc/${String(pid)}/cgroup`, 'utf8');
      const [, name] = /(\/kluster\/.+)$/m.exec(memberships) ?? [];
      if (name === undefined)
        throw new Error(`process ${String(pid)} is in no cgroup of ours: ${memberships}`);
      const mount = existsSync('/sys/fs/cgroup/cpu') ? '/sys/fs/cgroup/cpu' : '/sys/fs/cgroup';
      return `${mount}${name}`;
    }),
  );
}

async function cpuQuota(path: string): Promise<number> {
  if (existsSync(`${path}/cpu.max`)) {
    const [quota, period] = (await readFile(`${path}/cpu.max`, 'utf8')).split(' ').map(Number);
    return (quota ?? 0) / (period ?? 1);
  }
  const read = async (name: string): Promise<number> => Number(await readFile(`${path}/${name}`, 'utf8'));
  return (await read('cpu.cfs_quota_us')) / (await read('cpu.cfs_period_us'));
}

async function cpuShare(path: string): Promise<number> {
  if (existsSync(`${path}/cpu.weight`)) return Number(await readFile(`${path}/cpu.weight`, 'utf8')) / 100;
  return Number(await readFile(`${path}/cpu.shares`, 'utf8')) / 1024;
}

describe('mgr: one group of three', () => {
  let cluster: ProbedCluster;

  beforeAll(async () => {
    cluster = await created({
      ha_mode: 'mgr',
      cpu_cores: '3',
      cpu_limit_node: 'share',
      max_connections: '6',
    });
  });
  afterAll(() => deleted(cluster));

  it('has one primary and two secondaries, all ONLINE, in single-primary mode', async () => {
    const [shard] = cluster.shards;
    if (shard === undefined) throw new Error('no shard');
    const members = await probe.onStorage(shard.primary, (session) =>
      session.query(
        'SELECT MEMBER_HOST AS host, MEMBER_PORT AS port, MEMBER_STATE AS state, MEMBER_ROLE AS role ' +
          'FROM performance_schema.replication_group_members',
      ),
    );
    expect(members.map((row) => textOf(row, 'state'))).toEqual(['ONLINE', 'ONLINE', 'ONLINE']);
    const [primary, second] = members.filter((row) => textOf(row, 'role') === 'PRIMARY');
    expect(second).toBeUndefined();
    expect(primary).toMatchObject({ host: shard.primary.hostaddr, port: shard.primary.port });
    for (const node of [shard.primary, ...shard.replicas]) {
      const row = await probe.storageRow(
        node,
        'SELECT @@super_read_only AS closed, @@group_replication_single_primary_mode AS single',
      );
      expect(row).toEqual({ closed: node === shard.primary ? 0 : 1, single: 1 });
    }
  });

  it.skipIf(process.getuid?.() !== 0)('weighs every node by its cpu share', async () => {
    for (const path of await cgroups(cluster.id)) expect(await cpuShare(path)).toBe(3);
  });

  it('serves through its compute node', async () => {
    const [comp] = cluster.comps;
    if (comp === undefined) throw new Error('no compute node');
    const identity = await probe.onCompute(
      comp,
      (session) => readShardIdentity(session, 'shard_1'),
      'compute_superuser',
    );
    expect(identity).toMatchObject({ shardName: 'shard_1' });
  });
});

describe('create_cluster and delete_cluster', () => {
  const single = { ...small, ha_mode: 'no_rep', nodes: '1' };

  it('makes two clusters side by side, and deletes them by id and by nick name', async () => {
    const ids = await Promise.all([
      installation.submit('create_cluster', { ...single, nick_name: "O'Brien; `x`" }),
      installation.submit('create_cluster', { ...single, nick_name: 'second' }),
    ]);
    const jobs = await Promise.all(ids.map((id) => installation.ended(id)));
    expect(jobs.map(({ status }) => status)).toEqual(['done', 'done']);
    const [first, second] = await Promise.all(jobs.map((job) => probe.cluster(clusterIdOf(job))));
    if (first === undefined || second === undefined) throw new Error('no clusters');
    expect(first.id).not.toBe(second.id);
    for (const cluster of [first, second]) {
      const [shard] = cluster.shards;
      if (shard === undefined) throw new Error('no shard');
      expect(await probe.storageRow(shard.primary, 'SELECT @@super_read_only AS closed')).toEqual({
        closed: 0,
      });
    }
    const ends = await Promise.all([
      installation.run('delete_cluster', { cluster_name: "O'Brien; `x`" }),
      installation.run('delete_cluster', { cluster_id: second.id, nick_name: 'second' }),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(['done', 'done']);
    await expectNothingLeft(installation);
  });

  it('warns when the nodes of a shard must share a machine', async () => {
    const [machine] = installation.machines;
    const only = [machine?.hostaddr ?? ''];
    const job = await installation.done('create_cluster', {
      ...small,
      ha_mode: 'rbr',
      storage_iplists: only,
      computer_iplists: only,
    });
    const cluster = await probe.cluster(clusterIdOf(job));
    expect(job.notes).toEqual([expect.stringContaining(`share machine ${only[0] ?? ''}`)]);
    const [shard] = cluster.shards;
    const hosts = [shard?.primary, ...(shard?.replicas ?? [])].map((node) => node?.hostaddr);
    expect(hosts).toEqual([only[0], only[0], only[0]]);
    await deleted(cluster);
  });

  it('makes one job of a request that is sent twice with one Idempotency-Key', async () => {
    const send = async (): Promise<number> => {
      const reply = await fetch(`${installation.url}/api/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'order-1' },
        body: JSON.stringify({ job_type: 'create_cluster', paras: { ...single, nick_name: 'once' } }),
      });
      expect(reply.status).toBe(202);
      const body: unknown = await reply.json();
      return isJsonObject(body) ? Number(body['job_id']) : Number.NaN;
    };
    const [first, second] = await Promise.all([send(), send()]);
    expect(second).toBe(first);
    const cluster = await probe.cluster(clusterIdOf(await installation.ended(first ?? 0)));
    expect(await send()).toBe(first);
    const [count] = await probe.rows("SELECT COUNT(*) AS clusters FROM db_clusters WHERE nick_name = 'once'");
    expect(numberOf(count ?? {}, 'clusters')).toBe(1);
    await deleted(cluster);
  });
});
