import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComputeNode, StorageNode } from '../../../src/core/model.ts';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { readShardIdentity, readStorageRoutes } from '../../../src/engines/postgres/shards.ts';
import { textOf } from '../../../src/engines/sql.ts';
import { CatalogProbe, eventually, type ProbedCluster } from '../../support/catalog-probe.ts';
import { expectHealthy } from '../../support/healthy.ts';
import { TestInstallation } from '../../support/installation.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const network = '127.0.41';
const [storageHost, computerHost, otherHost] = [`${network}.11`, `${network}.12`, `${network}.13`];

let installation: TestInstallation;
let probe: CatalogProbe;
let id = 0;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network, machines: 3 });
  probe = await CatalogProbe.open(installation.home);
  const job = await installation.done('create_cluster', {
    ha_mode: 'no_rep',
    shards: '1',
    nodes: '1',
    comps: '1',
    dbcfg: '1',
    max_connections: '50',
    storage_iplists: [storageHost],
    computer_iplists: [computerHost],
  });
  id = Number(job.attachment?.['cluster_id']);
});
afterAll(async () => {
  await probe?.close();
  await installation?.close();
});

const cluster = (): Promise<ProbedCluster> => probe.cluster(id);

async function shardNamed(name: string): Promise<ProbedCluster['shards'][number]> {
  const shard = (await cluster()).shards.find((candidate) => candidate.name === name);
  return shard ?? expect.fail(`the cluster has no ${name}`);
}

async function compAt(index: number): Promise<ComputeNode> {
  return (await cluster()).comps[index] ?? expect.fail(`the cluster has no compute node ${String(index)}`);
}

/** The shards that the compute node reads, each by the name that it gives itself. */
async function shardsSeenBy(comp: ComputeNode): Promise<readonly string[]> {
  return probe.onCompute(
    comp,
    async (session) => {
      const seen: string[] = [];
      for (const name of [...(await readStorageRoutes(session)).keys()].toSorted()) {
        seen.push((await readShardIdentity(session, name))?.shardName ?? `${name} does not answer`);
      }
      return seen;
    },
    'compute_superuser',
  );
}

async function memo(): Promise<unknown> {
  const [row] = await probe.rows('SELECT memo FROM db_clusters WHERE id = ?', [id]);
  return JSON.parse(String(row?.['memo']));
}

/** The newest row of the log of shard sets. */
async function loggedShards(): Promise<unknown> {
  const rows = await probe.rows(
    'SELECT shard_id FROM cluster_shard_topology WHERE cluster_id = ? ORDER BY id DESC LIMIT 1',
    [id],
  );
  return rows[0]?.['shard_id'];
}

const shardIds = async (): Promise<string> => (await cluster()).shards.map((shard) => shard.id).join(',');

const code = (job: JobJson): unknown => job.error?.code;

describe('add_shards', () => {
  it('makes shards that applications of every compute node can use', async () => {
    const job = await installation.done('add_shards', {
      cluster_id: id,
      shards: '1',
      nodes: 1,
      storage_iplists: [otherHost],
    });
    const added = await shardNamed('shard_2');
    expect(job.attachment).toMatchObject({
      cluster_id: String(id),
      cluster_name: (await cluster()).name,
      shards: '2',
      comps: '1',
      list_shard: [{ shard_id: String(added.id), shard_name: 'shard_2' }],
      storage_state: 'done',
      shard_ids: [{ shard_2: String(added.id) }],
      shard_hosts: [{ shard_2: `${otherHost}_${String(added.primary.port)};` }],
    });
    const rows = await probe.onCompute(await compAt(0), async (session) => {
      await session.query(
        `CREATE TABLE orders (id int PRIMARY KEY, item text) WITH (shard = ${String(added.id)})`,
      );
      await session.query("INSERT INTO orders VALUES (1, 'pear')");
      return session.query('SELECT * FROM orders');
    });
    expect(rows).toEqual([{ id: 1, item: 'pear' }]);
    expect(await memo()).toMatchObject({ shards: '2' });
    expect(await loggedShards()).toBe(await shardIds());
  });

  it('does not wait for a compute node that is down; it catches up before it serves again', async () => {
    const comp = await compAt(0);
    await stopComputeNode(comp);
    const job = await installation.done('add_shards', { cluster_id: id, shards: '1', nodes: '1' });
    expect(job.notes).toContainEqual(expect.stringMatching(`${comp.name} will be told of the change`));
    await eventually(async () => expect((await compAt(0)).status).toBe('inactive'));
    await installation.startAgent(computerHost);
    await eventually(async () => expect((await compAt(0)).status).toBe('active'));
    await eventually(async () => expect(await shardsSeenBy(comp)).toEqual(['shard_1', 'shard_2', 'shard_3']));
  });
});

/** The machine's agent is stopped first: it would start the compute node again. */
async function stopComputeNode(comp: ComputeNode): Promise<void> {
  const status = await installation.client.cluster(String(id));
  const pid = status.comps.find(({ port }) => port === comp.port)?.pid;
  if (typeof pid !== 'number') throw new Error(`${comp.name} does not run`);
  await installation.stopAgent(computerHost);
  process.kill(pid, 'SIGKILL');
}

describe('add_comps', () => {
  it('makes compute nodes that read every shard, and shards take their connections', async () => {
    const job = await installation.done('add_comps', {
      cluster_id: String(id),
      comps: 1,
      computer_iplists: [otherHost],
    });
    const added = await compAt(1);
    expect(job.attachment).toMatchObject({
      comps: '2',
      list_comp: [{ comp_id: String(added.id), comp_name: added.name }],
      computer_state: 'done',
      computer_hosts: `${otherHost}_${String(added.port)};`,
    });
    await eventually(async () => {
      expect(await compAt(1)).toMatchObject({ status: 'active', hostaddr: otherHost });
    });
    await eventually(async () =>
      expect(await shardsSeenBy(added)).toEqual(['shard_1', 'shard_2', 'shard_3']),
    );
    expect(await memo()).toMatchObject({ comps: '2' });
    const { primary } = await shardNamed('shard_1');
    expect(await probe.storageRow(primary, 'SELECT @@max_connections AS connections')).toEqual({
      connections: 120,
    });
    expect(await partitions()).toContain(`p${String(added.id)}`);
  });
});

describe('the outbox', () => {
  it('reaches a compute node that has more than a metadata database that was set back', async () => {
    const wanted = 'SELECT generation FROM kluster_topology WHERE cluster_id = ?';
    const [before] = await probe.rows(wanted, [id]);
    await onMetadata(installation, async (session) => {
      await session.execute('DELETE FROM kluster_topology_applied');
      await session.execute('UPDATE kluster_topology SET generation = 1 WHERE cluster_id = ?', [id]);
    });
    await eventually(async () => {
      const states = await probe.rows(
        `SELECT wanted.generation AS wanted, applied.generation AS applied
           FROM kluster_topology AS wanted
           JOIN comp_nodes AS comp ON comp.db_cluster_id = wanted.cluster_id
           LEFT JOIN kluster_topology_applied AS applied ON applied.comp_node_id = comp.id`,
      );
      expect(states).toHaveLength(2);
      for (const state of states) {
        expect(state['applied']).toBe(state['wanted']);
        expect(state['wanted']).toBeGreaterThan(Number(before?.['generation']));
      }
    });
  });
});

describe('delete_shard', () => {
  it('is refused while the shard holds a table, naming it, and the shard stays in use', async () => {
    const { id: shard, primary } = await shardNamed('shard_2');
    const job = await installation.run('delete_shard', { cluster_id: id, shard_id: shard });
    expect([job.status, code(job)]).toEqual(['failed', 70_504]);
    expect(job.error?.message).toContain('orders');
    await probe.onStorage(primary, (session) =>
      session.query("INSERT INTO `postgres_$$_public`.orders VALUES (2, 'plum')"),
    );
  });

  it('opens the shard again when a table appeared at the last moment', async () => {
    const { id: shard, primary } = await shardNamed('shard_3');
    const job = await whileATableAppears(primary, () =>
      installation.submit('delete_shard', { cluster_id: id, shard_id: shard }),
    );
    expect([job.status, code(job)]).toEqual(['failed', 70_504]);
    expect(job.error?.message).toContain('late.arrival');
    await eventually(() =>
      probe.onStorage(primary, (session) => session.query('DROP DATABASE late').then(() => undefined)),
    );
    expect((await shardNamed('shard_3')).primary.status).toBe('active');
  });

  it('removes an empty shard from the catalog, every compute node and its machine', async () => {
    const { id: shard, primary } = await shardNamed('shard_2');
    await probe.onStorage(primary, (session) => session.query('DROP DATABASE `postgres_$$_public`'));
    const job = await installation.done('delete_shards', { cluster_id: String(id), shard_id: String(shard) });
    expect(job.attachment).toMatchObject({
      cluster_id: String(id),
      shard_id: String(shard),
      storage_state: 'done',
      storage_hosts: `${otherHost}_${String(primary.port)};`,
    });
    for (const comp of (await cluster()).comps) {
      await eventually(async () => expect(await shardsSeenBy(comp)).toEqual(['shard_1', 'shard_3']));
    }
    expect(await memo()).toMatchObject({ shards: '2' });
    expect(await loggedShards()).toBe(await shardIds());
    await expect(probe.onStorage(primary, (session) => session.query('SELECT 1'))).rejects.toThrow(/connect/);
    expect(await probe.rows('SELECT owner FROM kluster_ports WHERE owner = ?', [primary.instanceId])).toEqual(
      [],
    );
  });
});

/** A transaction that the compute node has prepared and decided to commit, and that it commits no more. */
async function leaveInDoubt(comp: ComputeNode): Promise<StorageNode> {
  const branch = `'${String(comp.id)}-1-1'`;
  const { name, shards } = await cluster();
  const primary = shards[0]?.primary ?? expect.fail('the cluster has no shard');
  await onMetadata(installation, (session) =>
    session.query(
      `INSERT INTO commit_log_${name} (comp_node_id, txn_id, next_txn_cmd) VALUES (${String(comp.id)}, (1 << 32) + 1, 'commit')`,
    ),
  );
  await probe.onStorage(primary, async (session) => {
    await session.query('CREATE DATABASE doubt');
    await session.query('CREATE TABLE doubt.kept (id INT PRIMARY KEY)');
    await session.query(`XA START ${branch}`);
    await session.query('INSERT INTO doubt.kept VALUES (1)');
    await session.query(`XA END ${branch}`);
    await session.query(`XA PREPARE ${branch}`);
  });
  return primary;
}

describe('delete_comp', () => {
  it('removes a compute node, also when its machine does not answer, and the others stay', async () => {
    const comp = await compAt(0);
    const primary = await leaveInDoubt(comp);
    await installation.stopAgent(computerHost);
    const job = await installation.done('delete_comp', { cluster_id: id, comp_id: comp.id });
    expect(job.notes).toContainEqual(expect.stringMatching(`${comp.instanceId} will be removed when`));
    expect(job.attachment).toMatchObject({
      computer_state: 'done',
      computer_hosts: `${computerHost}_${String(comp.port)};`,
    });
    expect((await cluster()).comps.map((left) => left.id)).not.toContain(comp.id);
    // What it had decided to commit is committed, though nobody can look it up any more.
    expect(await probe.onStorage(primary, (session) => session.query('XA RECOVER'))).toEqual([]);
    expect(
      await probe.onStorage(primary, (session) => session.query('SELECT id FROM doubt.kept')),
    ).toHaveLength(1);
    expect(await memo()).toMatchObject({ comps: '1' });
    expect(await partitions()).not.toContain(`p${String(comp.id)}`);
    await installation.startAgent(computerHost);
    await eventually(async () => {
      expect(await probe.rows('SELECT instance_id FROM kluster_pending_removals')).toEqual([]);
    });
    await expect(probe.onCompute(comp, (session) => session.query('SELECT 1'))).rejects.toThrow(/connect/);
  });
});

describe('an rbr cluster', () => {
  it('gets a shard that replicates, and loses only what belongs to the shard that is deleted', async () => {
    const paras = { ha_mode: 'rbr', shards: '1', nodes: '3', comps: '1', dbcfg: '1', fullsync_level: '2' };
    const made = await installation.done('create_cluster', paras);
    const rbr = Number(made.attachment?.['cluster_id']);
    await installation.done('add_shards', { cluster_id: rbr, shards: '1', nodes: '3' });
    const [, added] = (await probe.cluster(rbr)).shards;
    if (added === undefined) throw new Error('no second shard');
    expect(added.replicas).toHaveLength(2);
    const acknowledged =
      'SELECT @@rpl_semi_sync_source_enabled AS enabled, @@rpl_semi_sync_source_wait_for_replica_count AS acks';
    expect(await probe.storageRow(added.primary, acknowledged)).toEqual({ enabled: 1, acks: 2 });
    expect(await followers(rbr)).toBe(4);
    await expectHealthy(installation.client);
    await installation.done('delete_shard', { cluster_id: rbr, shard_id: added.id });
    expect(await followers(rbr)).toBe(2);
    await expectHealthy(installation.client);
  }, 240_000);
});

/** Replicas that node_map_master names for the cluster. */
async function followers(clusterId: number): Promise<number> {
  const rows = await probe.rows('SELECT node_host FROM node_map_master WHERE cluster_id = ?', [clusterId]);
  return rows.length;
}

/** A table whose making began before the job looked at the shard is complete only when the job closes the shard. */
async function whileATableAppears(primary: StorageNode, submit: () => Promise<number>): Promise<JobJson> {
  return probe.onStorage(primary, async (gate) => {
    await gate.query('CREATE DATABASE late');
    await gate.query("SELECT GET_LOCK('gate', 10)");
    const making = probe.onStorage(primary, (session) =>
      session.query("CREATE TABLE late.arrival AS SELECT GET_LOCK('gate', 20) AS passed"),
    );
    await eventually(async () => {
      const waiting = await gate.query(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'",
      );
      expect(waiting).toHaveLength(1);
    });
    const job = await submit();
    await eventually(async () => {
      const { steps } = await installation.client.job(job);
      expect(steps.find(({ path }) => path === 'delete_shard/close')?.state).toBe('running');
    });
    await gate.query("SELECT RELEASE_LOCK('gate')");
    await making;
    return installation.ended(job);
  });
}

/** Of the cluster's commit log. */
async function partitions(): Promise<readonly string[]> {
  const rows = await probe.rows(
    'SELECT DISTINCT PARTITION_NAME AS name FROM information_schema.PARTITIONS WHERE TABLE_NAME = ?',
    [`commit_log_${(await cluster()).name}`],
  );
  return rows.map((row) => textOf(row, 'name'));
}
