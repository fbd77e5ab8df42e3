import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobJson, StorageNodeJson } from '../../../src/core/rest-types.ts';
import { readChannel } from '../../../src/engines/mysql/channel.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { isSuperReadOnly } from '../../../src/engines/mysql/read-only.ts';
import { textOf, type SqlRow, type SqlSession } from '../../../src/engines/sql.ts';
import { TestInstallation } from '../../support/installation.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { underscored, WrittenCluster } from '../../support/written-cluster.ts';

let installation: TestInstallation;
let rbr: WrittenCluster;
let mgr: WrittenCluster;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), {
    network: '127.0.27',
    machines: 3,
  });
  rbr = await WrittenCluster.create(installation, { ha_mode: 'rbr' });
  mgr = await WrittenCluster.create(installation, { ha_mode: 'mgr' });
});
afterAll(async () => {
  await Promise.allSettled([rbr?.close(), mgr?.close()]);
  await installation?.close();
});

async function paras(cluster: WrittenCluster, assigned?: StorageNodeJson): Promise<Record<string, string>> {
  return {
    cluster_id: String((await cluster.json()).cluster_id),
    shard_id: String((await cluster.shard()).shard_id),
    master_hostaddr: underscored(await cluster.source()),
    ...(assigned === undefined ? {} : { assign_hostaddr: underscored(assigned) }),
  };
}

async function aReplica(cluster: WrittenCluster): Promise<StorageNodeJson> {
  const [replica] = await cluster.replicas();
  if (replica === undefined) throw new Error('the shard has no replica');
  return replica;
}

function records(): Promise<readonly SqlRow[]> {
  return onMetadata(installation, (metadata) =>
    metadata.query('SELECT taskid, step, host, new_master_host, err_code FROM rbr_consfailover ORDER BY id'),
  );
}

async function refusal(asked: Record<string, string>): Promise<unknown> {
  const reply = await installation.emit({
    version: '1.0',
    job_type: 'manual_switch',
    timestamp: '1',
    user_name: 'test',
    paras: { ...(await paras(rbr)), ...asked },
  });
  return reply['error_code'];
}

/** A client of the server itself, with a statement that takes long and a transaction that is idle. */
async function obstructiveClients(
  old: StorageNodeJson,
): Promise<{ readonly ends: Promise<PromiseSettledResult<unknown>[]> }> {
  const account = { user: 'direct', password: 'Direct-1-test' };
  await rbr.onNode(old, async (mysql) => {
    await mysql.query(`CREATE USER 'direct'@'%' IDENTIFIED BY '${account.password}'`);
    await mysql.query("GRANT ALL ON `postgres_$$_public`.* TO 'direct'@'%'");
  });
  const signal = AbortSignal.timeout(60_000);
  const { hostaddr, port } = old;
  const client = (run: (mysql: SqlSession) => Promise<unknown>) =>
    withMysql({ hostaddr, port, ...account, statementTimeoutMs: 60_000 }, signal, run);
  const slow = client((mysql) =>
    mysql.query("UPDATE `postgres_$$_public`.audit SET note = 'y' WHERE SLEEP(60) = 0"),
  );
  const idle = client(async (mysql) => {
    await mysql.query('START TRANSACTION');
    await mysql.query("INSERT INTO `postgres_$$_public`.audit VALUES (700000, 'never')");
    await sleep(5000, undefined, { signal });
    await mysql.query('COMMIT');
  });
  const ends = Promise.allSettled([slow, idle]);
  await sleep(500);
  return { ends };
}

describe('manual_switch', () => {
  it('moves the primary of an rbr shard: nothing is lost, open sessions go on, everybody follows', async () => {
    const old = await rbr.source();
    let job: JobJson | undefined;
    const acknowledged = await rbr.whileWriting(async () => {
      job = await installation.done('manual_switch', await paras(rbr));
    });
    const now = await rbr.source();
    expect(now.hostaddr).not.toBe(old.hostaddr);
    expect(job?.attachment).toMatchObject({
      job_step: 'check,catch_up,switch,settle',
      step: 'settle',
      new_master_host: underscored(now),
    });
    await rbr.expectAllThere(acknowledged);
    await rbr.expectWhole();
    const rows = await records();
    expect(rows.map((row) => textOf(row, 'step'))).toEqual(['begin', 'promote']);
    expect(rows.at(-1)).toMatchObject({
      host: underscored(old),
      new_master_host: underscored(now),
      err_code: 0,
    });
  });

  it('moves it to the node that was asked for, past clients that hold it up', async () => {
    const assigned = await aReplica(rbr);
    const { ends } = await obstructiveClients(await rbr.source());
    await installation.done('manual_switch', await paras(rbr, assigned));
    expect((await rbr.source()).hostaddr).toBe(assigned.hostaddr);
    // Neither the long statement nor the idle transaction got through.
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await rbr.expectWhole();
    const [row] = await rbr.onNode(await rbr.source(), (mysql) =>
      mysql.query("SELECT COUNT(*) AS found FROM `postgres_$$_public`.audit WHERE id = 700000 OR note = 'y'"),
    );
    expect(row).toMatchObject({ found: 0 });
  });

  it('lets the group of an mgr shard move its primary', async () => {
    const assigned = await aReplica(mgr);
    const acknowledged = await mgr.whileWriting(async () =>
      installation.done('manual_switch', await paras(mgr, assigned)),
    );
    expect((await mgr.source()).hostaddr).toBe(assigned.hostaddr);
    await mgr.expectAllThere(acknowledged);
    await mgr.expectWhole();
  });

  it('mends what somebody does by hand at a node, because its agent tells of it', async () => {
    const replica = await aReplica(rbr);
    const state = async (): Promise<unknown> =>
      rbr.onNode(replica, async (mysql) => {
        const channel = await readChannel(mysql);
        return { closed: await isSuperReadOnly(mysql), receives: channel?.receiverRunning };
      });
    const asItShouldBe = { closed: true, receives: true };
    // Shorter than the pause between two looks at a shard that nobody suspects.
    const soon = { timeout: 25_000, interval: 200 };
    await expect.poll(state, soon).toEqual(asItShouldBe);
    await rbr.onNode(replica, (mysql) => mysql.query('SET GLOBAL super_read_only = OFF'));
    await expect.poll(state, soon).toEqual(asItShouldBe);
    await rbr.onNode(replica, (mysql) => mysql.query('STOP REPLICA IO_THREAD'));
    await expect.poll(state, soon).toEqual(asItShouldBe);
  });

  it('says what is wrong with a request, and changes nothing', async () => {
    const primary = underscored(await rbr.source());
    const codes = {
      cluster: await refusal({ cluster_id: '4711' }),
      noCluster: await refusal({ cluster_id: '' }),
      shard: await refusal({ shard_id: String((await mgr.shard()).shard_id) }),
      noShard: await refusal({ shard_id: 'x' }),
      noMaster: await refusal({ master_hostaddr: 'nobody' }),
      unknownMaster: await refusal({ master_hostaddr: '10.9.9.9_1' }),
      replicaAsMaster: await refusal({ master_hostaddr: underscored(await aReplica(rbr)) }),
      unknownTarget: await refusal({ assign_hostaddr: '10.9.9.9_1' }),
      primaryAsTarget: await refusal({ assign_hostaddr: primary }),
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
    expect(underscored(await rbr.source())).toBe(primary);
  });

  it('puts the old primary back when the target turns out to be unfit after writes were stopped', async () => {
    const old = await rbr.source();
    const target = await aReplica(rbr);
    await rbr.onNode(target, async (mysql) => {
      await mysql.query('SET GLOBAL super_read_only = OFF');
      await mysql.query('CREATE DATABASE errant');
      await mysql.query('SET GLOBAL super_read_only = ON');
    });
    const acknowledged = await rbr.whileWriting(async () => {
      const job = await installation.run('manual_switch', await paras(rbr, target));
      expect(job).toMatchObject({ status: 'failed', error: { code: 70_020 } });
    });
    expect(underscored(await rbr.source())).toBe(underscored(old));
    await rbr.expectAllThere(acknowledged);
    expect((await records()).at(-1)).toMatchObject({ step: 'Fail', err_code: 70_020 });

    const { cluster_id: clusterId, shard_id: shardId } = await paras(rbr);
    const { hostaddr, port } = target;
    await installation.done('rebuild_node', {
      cluster_id: clusterId,
      shard_id: shardId,
      rb_nodes: [{ hostaddr, port: String(port) }],
      allow_pull_from_master: '1',
    });
    await rbr.expectWhole();
  });
});
