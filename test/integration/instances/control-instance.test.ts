import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberOf } from '../../../src/engines/sql.ts';
import type { HostPort } from '../../../src/core/model.ts';
import { CatalogProbe, eventually, type ProbedShard } from '../../support/catalog-probe.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let installation: TestInstallation;
let probe: CatalogProbe;
let clusterId: number;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.38', machines: 3 });
  probe = await CatalogProbe.open(installation.home);
  const order = { ha_mode: 'rbr', shards: '1', nodes: '3', comps: '1', dbcfg: '1', fullsync_level: '1' };
  const { attachment } = await installation.done('create_cluster', order);
  clusterId = Number(attachment?.['cluster_id']);
  const { primary } = await shard();
  await probe.onStorage(primary, async (session) => {
    await session.query('CREATE DATABASE kept');
    await session.query('CREATE TABLE kept.writes (id INT PRIMARY KEY AUTO_INCREMENT)');
  });
});
afterAll(async () => {
  await probe?.close();
  await installation.close();
});

async function shard(): Promise<ProbedShard> {
  const [only] = (await probe.cluster(clusterId)).shards;
  if (only === undefined) throw new Error('the cluster has no shard');
  return only;
}

const control = (at: HostPort, verb: string) =>
  installation.done('control_instance', {
    hostaddr: at.hostaddr,
    port: String(at.port),
    control: verb,
    cluster_id: String(clusterId),
  });

/** What status shows of the node at an address. */
async function shown(at: HostPort): Promise<{ readonly status: string; readonly pid: number | null }> {
  const { shards, comps } = await installation.client.cluster(String(clusterId));
  const nodes = [...shards.flatMap((one) => one.nodes), ...comps];
  const found = nodes.find(({ hostaddr, port }) => hostaddr === at.hostaddr && port === at.port);
  if (found === undefined) throw new Error(`no node at ${at.hostaddr}:${String(at.port)}`);
  return found;
}

const stopped = { status: 'manual_stop', pid: null };

/** One row more through the recorded primary; how many there are then. */
async function write(): Promise<number> {
  const { primary } = await shard();
  await probe.onStorage(primary, (session) => session.query('INSERT INTO kept.writes VALUES ()'));
  return rowsOn(primary);
}

async function rowsOn(at: HostPort): Promise<number> {
  const { primary, replicas } = await shard();
  const node = [primary, ...replicas].find(
    ({ hostaddr, port }) => hostaddr === at.hostaddr && port === at.port,
  );
  if (node === undefined) throw new Error('no such node');
  return numberOf(await probe.storageRow(node, 'SELECT COUNT(*) AS found FROM kept.writes'), 'found');
}

describe('control_instance', { timeout: 180_000 }, () => {
  it('keeps a replica stopped, also when its agent starts again, and brings it back with what it missed', async () => {
    const { replicas } = await shard();
    const [replica] = replicas;
    if (replica === undefined) throw new Error('no replica');
    await control(replica, 'stop');
    await write();
    await installation.stopAgent(replica.hostaddr);
    await installation.startAgent(replica.hostaddr);
    await eventually(async () => {
      expect(await shown(replica)).toMatchObject(stopped);
    });
    const rows = await write();

    await control(replica, 'start');
    expect(await shown(replica)).toMatchObject({ status: 'active', pid: expect.any(Number) });
    await eventually(async () => {
      expect(await rowsOn(replica)).toBe(rows);
    });
  });

  it('lets another node take over from a primary that is stopped, and start it as a replica', async () => {
    const before = await shard();
    const rows = await write();
    await control(before.primary, 'stop');
    const after = await shard();
    expect(after.primary.id).not.toBe(before.primary.id);
    expect(await shown(before.primary)).toMatchObject(stopped);
    expect(await write()).toBe(rows + 1);

    await control(before.primary, 'start');
    expect((await shard()).primary.id).toBe(after.primary.id);
    await eventually(async () => {
      expect(await rowsOn(before.primary)).toBe(rows + 1);
    });
  });

  it('restarts a primary behind the back of its successor', async () => {
    const { primary } = await shard();
    const { pid } = await shown(primary);
    const rows = await write();
    await control(primary, 'restart');
    expect((await shown(primary)).pid).not.toBe(pid);
    expect(await shown(primary)).toMatchObject({ status: 'active', pid: expect.any(Number) });
    expect((await shard()).primary.id).not.toBe(primary.id);
    expect(await write()).toBe(rows + 1);
  });

  it('stops, starts and restarts a compute node', async () => {
    const [comp] = (await installation.client.cluster(String(clusterId))).comps;
    if (comp === undefined) throw new Error('no compute node');
    await control(comp, 'stop');
    expect(await shown(comp)).toMatchObject(stopped);
    await control(comp, 'start');
    const { status, pid } = await shown(comp);
    expect(status).toBe('active');
    await control(comp, 'restart');
    expect((await shown(comp)).pid).not.toBe(pid);
    expect((await shown(comp)).status).toBe('active');
  });

  it.each([
    ['control', 'pause', 'must be one of start, stop, restart'],
    ['machine_type', 'computer', 'is a storage node'],
    ['port', '1', 'no node of a cluster has the address'],
    ['hostaddr', '', 'hostaddr'],
  ])('refuses %s = %s', async (field, value, rule) => {
    const { primary } = await shard();
    const paras = {
      hostaddr: primary.hostaddr,
      port: String(primary.port),
      control: 'restart',
      [field]: value,
    };
    await expect(installation.run('control_instance', paras)).rejects.toThrow(rule);
  });
});
