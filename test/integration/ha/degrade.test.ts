import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberOf, textOf } from '../../../src/engines/sql.ts';
import { TestInstallation } from '../../support/installation.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { underscored, WrittenCluster } from '../../support/written-cluster.ts';

const patient = { timeout: 40_000, interval: 100 };

let installation: TestInstallation;
let cluster: WrittenCluster;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), {
    network: '127.0.28',
    machines: 3,
  });
  cluster = await WrittenCluster.create(installation, { ha_mode: 'rbr', conf_degrade_state: 'OFF' });
});
afterAll(async () => {
  await cluster?.close();
  await installation?.close();
});

async function emit(jobType: string, paras: Record<string, string>): Promise<Record<string, unknown>> {
  const envelope = { version: '1.0', timestamp: '1', user_name: 'test' };
  return installation.emit({ ...envelope, job_type: jobType, paras });
}

const ids = async () => ({
  cluster_id: String((await cluster.json()).cluster_id),
  shard_id: String((await cluster.shard()).shard_id),
});

/** Both replicas and their agents end: nobody starts them again. Gives what brings them back. */
async function loseReplicas(): Promise<() => Promise<void>> {
  const replicas = await cluster.replicas();
  for (const { hostaddr, pid } of replicas) {
    await installation.stopAgent(hostaddr);
    if (pid !== null) process.kill(pid, 'SIGKILL');
  }
  return async () => {
    for (const { hostaddr } of replicas) await installation.startAgent(hostaddr);
  };
}

/** On the primary: sessions whose commit waits. */
async function waitingCommits(): Promise<number> {
  const [row] = await cluster.onNode(await cluster.source(), (mysql) =>
    mysql.query(
      `SELECT VARIABLE_VALUE AS value FROM performance_schema.global_status
        WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions'`,
    ),
  );
  return row === undefined ? -1 : numberOf(row, 'value');
}

async function recorded(): Promise<{ readonly state: string; readonly steps: readonly string[] }> {
  return onMetadata(installation, async (metadata) => {
    const [shard] = await metadata.query('SELECT degrade_run_state AS state FROM shards');
    const rows = await metadata.query('SELECT step FROM rbr_consfailover ORDER BY id');
    return {
      state: shard === undefined ? '' : textOf(shard, 'state'),
      steps: rows.map((row) => textOf(row, 'step')),
    };
  });
}

/** They receive over a new connection; whether they acknowledge is decided when it begins. */
async function reconnect(acknowledging: boolean): Promise<void> {
  for (const replica of await cluster.replicas()) {
    await cluster.onNode(replica, async (mysql) => {
      await mysql.query(`SET GLOBAL rpl_semi_sync_replica_enabled = ${acknowledging ? 'ON' : 'OFF'}`);
      await mysql.query('STOP REPLICA IO_THREAD');
      await mysql.query('START REPLICA IO_THREAD');
    });
  }
}

async function receivedByAll(): Promise<boolean> {
  const states = await Promise.all(
    (await cluster.replicas()).map((replica) =>
      cluster.onNode(replica, async (mysql) => {
        const [row] = await mysql.query(
          `SELECT GTID_SUBTRACT(received_transaction_set, @@GLOBAL.gtid_executed) <> '' OR service_state <> 'ON' AS lacking
             FROM performance_schema.replication_connection_status`,
        );
        return row !== undefined && numberOf(row, 'lacking') === 0;
      }),
    ),
  );
  return states.every(Boolean);
}

describe('an rbr shard whose replicas lose their connections', () => {
  it('does not keep a commit waiting that they have received already', async () => {
    await reconnect(false);
    const writing = cluster.write();
    await expect.poll(waitingCommits, patient).toBe(1);
    await expect.poll(receivedByAll, patient).toBe(true);
    await reconnect(true);
    const number = await writing;
    expect(number).not.toBeNull();
    await cluster.expectAllThere(number === null ? [] : [number]);
    await cluster.expectWhole();
  });
});

describe('an rbr shard that loses all replicas', () => {
  it('waits with conf_degrade_state OFF, and goes on when they are back', async () => {
    const bringBack = await loseReplicas();
    const writing = cluster.write();
    await expect.poll(waitingCommits, patient).toBe(1);
    expect(await recorded()).toEqual({ state: 'OFF', steps: [] });
    await bringBack();
    const number = await writing;
    expect(number).not.toBeNull();
    await cluster.expectAllThere(number === null ? [] : [number]);
    await cluster.expectWhole();
  });

  it('goes on without them with conf_degrade_state ON, loses nothing with its primary, and waits again when they are back', async () => {
    const reply = await emit('update_shard_degrade_conf', {
      ...(await ids()),
      conf_degrade_state: 'ON',
      conf_degrade_time: '5',
    });
    expect(reply).toMatchObject({ error_code: '0', status: 'done' });
    const primary = await cluster.source();
    const bringBack = await loseReplicas();
    const acknowledged = [await cluster.write(), await cluster.write()].flatMap((number) => number ?? []);
    expect(acknowledged).toHaveLength(2);
    expect(await recorded()).toEqual({ state: 'ON', steps: ['degrade'] });

    if (primary.pid === null) throw new Error('the primary has no process');
    process.kill(primary.pid, 'SIGKILL');
    await bringBack();
    await expect.poll(recorded, patient).toEqual({ state: 'OFF', steps: ['degrade', 'restore'] });
    expect(underscored(await cluster.source())).toBe(underscored(primary));
    await expect
      .poll(async () => {
        const number = await cluster.write();
        if (number !== null) acknowledged.push(number);
        return number !== null;
      }, patient)
      .toBe(true);
    await cluster.expectAllThere(acknowledged);
    await cluster.expectWhole();
    const [row] = await cluster.onNode(await cluster.source(), (mysql) =>
      mysql.query(
        `SELECT @@GLOBAL.rpl_semi_sync_source_enabled AS enabled,
                @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count AS wait_for`,
      ),
    );
    expect(row).toMatchObject({ enabled: 1, wait_for: 1 });
  });

  it('refuses settings that are none', async () => {
    const refused = async (changes: Record<string, string>): Promise<unknown> => {
      const asked = { ...(await ids()), conf_degrade_state: 'ON', conf_degrade_time: '25', ...changes };
      return (await emit('update_shard_degrade_conf', asked))['error_code'];
    };
    expect(await refused({ conf_degrade_state: 'PERHAPS' })).toBe('70005');
    expect(await refused({ conf_degrade_time: '4' })).toBe('70005');
    expect(await refused({ cluster_id: '4711' })).toBe('70503');
    expect(await refused({ shard_id: '4711' })).toBe('70027');
  });
});

describe('set_noswitch', () => {
  it('keeps a lost primary in its role until it is deleted', { timeout: 180_000 }, async () => {
    const { cluster_id: clusterId, shard_id: shardId } = await ids();
    const scope = { cluster_id: clusterId, shard_id: shardId };
    await emit('update_shard_degrade_conf', { ...scope, conf_degrade_state: 'OFF' });
    const acknowledged = [await cluster.write()].flatMap((number) => number ?? []);
    expect(acknowledged).toHaveLength(1);
    expect(await emit('set_noswitch', { ...scope, type: '1', timeout: '600' })).toMatchObject({
      error_code: '0',
    });
    const lost = await cluster.source();
    if (lost.pid === null) throw new Error('the primary has no process');
    await installation.stopAgent(lost.hostaddr);
    process.kill(lost.pid, 'SIGKILL');
    // Several times as long as a failover takes.
    await sleep(8000);
    expect(underscored(await cluster.source())).toBe(underscored(lost));
    expect(await emit('del_noswitch', scope)).toMatchObject({ error_code: '0' });
    await expect.poll(async () => underscored(await cluster.source()), patient).not.toBe(underscored(lost));
    await installation.startAgent(lost.hostaddr);
    await cluster.expectAllThere(acknowledged);
    await expect
      .poll(() => cluster.expectWhole().then(() => true, String), { ...patient, timeout: 120_000 })
      .toBe(true);
  });

  it('is listed until it is deleted or expires, for a shard, a cluster or all', async () => {
    const { cluster_id: clusterId, shard_id: shardId } = await ids();
    const listed = async (): Promise<unknown> =>
      (await emit('list_noswitch', { cluster_id: 'all' }))['attachment'];
    expect(await listed()).toEqual({ value: [] });
    const now = Date.now() / 1000;
    for (const scope of [{ cluster_id: 'all' }, { cluster_id: clusterId, shard_id: shardId }]) {
      expect(await emit('set_noswitch', { type: '1', timeout: '600', ...scope })).toMatchObject({
        error_code: '0',
      });
    }
    await emit('set_noswitch', { type: '1', timeout: '1', cluster_id: clusterId });
    const param = { timestamp: expect.closeTo(now + 600, -2) as number };
    await expect.poll(listed, patient).toEqual({
      value: [
        { cluster_id: 'all', param },
        { cluster_id: clusterId, shard_id: shardId, param },
      ],
    });
    for (const scope of [{ cluster_id: 'all' }, { cluster_id: clusterId, shard_id: shardId }]) {
      expect(await emit('del_noswitch', scope)).toMatchObject({ error_code: '0' });
    }
    expect(await listed()).toEqual({ value: [] });
  });

  it('refuses what does not exist, and times that are none', async () => {
    const refused = async (paras: Record<string, string>): Promise<unknown> =>
      (await emit('set_noswitch', { type: '1', timeout: '60', ...paras }))['error_code'];
    const { cluster_id: clusterId, shard_id: shardId } = await ids();
    expect(await refused({})).toBe('70025');
    expect(await refused({ cluster_id: '4711' })).toBe('70503');
    expect(await refused({ cluster_id: clusterId, shard_id: '4711' })).toBe('70027');
    expect(await refused({ cluster_id: 'all', shard_id: shardId })).toBe('70024');
    expect(await refused({ cluster_id: 'all', timeout: '0' })).toBe('70005');
    expect(await refused({ cluster_id: 'all', type: '2' })).toBe('70005');
  });
});
