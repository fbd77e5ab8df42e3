import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectCgroup } from '../../../src/agent/cgroup/detect.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../../src/engines/postgres/connection.ts';
import type { SqlAddress, SqlSession } from '../../../src/engines/sql.ts';
import { eventually } from '../../support/catalog-probe.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** Cores; few, so that even a crowded machine gives more to a process without a limit. */
const quota = 0.25;
const machine = '127.0.31.11';

let installation: TestInstallation;
let clusterId: number;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.31', machines: 1 });
  const order = { ha_mode: 'no_rep', shards: '1', nodes: '1', comps: '1', dbcfg: '1' };
  const { attachment } = await installation.done('create_cluster', order);
  clusterId = Number(attachment?.['cluster_id']);
});
afterAll(() => installation.close());

interface Found {
  readonly port: number;
  readonly pid: number | null;
}

async function nodeOf(type: 'mysql' | 'pg'): Promise<Found> {
  const { shards, comps } = await installation.client.cluster(String(clusterId));
  const found = type === 'mysql' ? shards[0]?.nodes[0] : comps[0];
  if (found === undefined) throw new Error(`the cluster has no ${type} node`);
  return found;
}

async function limit(type: 'mysql' | 'pg', cores: number | string, changes: object = {}) {
  const { port } = await nodeOf(type);
  const paras = { ip: machine, port: String(port), type, cpu_cores: cores, cgroup_mode: 'quota', ...changes };
  return installation.run('update_instance_cgroup', paras);
}

/** Clock ticks of processor time that a process has used. */
async function ticksOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${String(pid)}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

const ticksPerSecond = 100;
const burnMs = 2000;

/** Cores that a process uses while it is told to compute. */
async function coresUsed(pid: number, burn: () => Promise<unknown>): Promise<number> {
  const burning = burn();
  await sleep(200);
  const [ticks, began] = [await ticksOf(pid), performance.now()];
  await sleep(burnMs);
  const used = ((await ticksOf(pid)) - ticks) / ticksPerSecond;
  const seconds = (performance.now() - began) / 1000;
  await burning;
  return used / seconds;
}

/** Ends with the error that the statement took too long; any other one fails the test. */
async function untilStopped(session: SqlSession, statement: string): Promise<void> {
  await expect(session.query(statement)).rejects.toThrow(/interrupted|canceling/);
}

async function storageCores(): Promise<number> {
  const { port, pid } = await nodeOf('mysql');
  if (pid === null) throw new Error('the storage node does not run');
  const account = await installation.account(`cluster:${String(clusterId)}`, 'management');
  const address: SqlAddress = { hostaddr: machine, port, ...account };
  const rows = 'information_schema.collations';
  const statement = `SELECT /*+ MAX_EXECUTION_TIME(3000) */ COUNT(*) FROM ${rows} AS a, ${rows} AS b, ${rows} AS c
                      WHERE SHA2(CONCAT(a.id, b.id, c.id), 256) = ''`;
  return withMysql(address, AbortSignal.timeout(60_000), (session) =>
    coresUsed(pid, () => untilStopped(session, statement)),
  );
}

async function computeCores(): Promise<number> {
  const { port } = await nodeOf('pg');
  const account = await installation.account(`cluster:${String(clusterId)}`, 'compute_superuser');
  const address: SqlAddress = { hostaddr: machine, port, ...account };
  return withPostgres(address, AbortSignal.timeout(60_000), async (session) => {
    const [row] = await session.query('SELECT pg_backend_pid() AS pid');
    await session.query("SET statement_timeout = '3s'");
    // A function's loop: a query of this length would be cancelled as well, and one session is one process.
    const burn = 'SELECT count(*) FROM generate_series(1, 1000000000) AS n WHERE sqrt(n) < 0';
    return coresUsed(Number(row?.['pid']), () => untilStopped(session, burn));
  });
}

const scarce = 1.5 * quota;

describe.skipIf(detectCgroup() === null)('update_instance_cgroup', { timeout: 180_000 }, () => {
  it('holds a storage node to its quota, also after the server and the agent started again', async () => {
    expect(await limit('mysql', quota)).toMatchObject({ status: 'done' });
    expect(await storageCores()).toBeLessThan(scarce);

    const { pid } = await nodeOf('mysql');
    await installation.stopAgent(machine);
    if (pid !== null) process.kill(pid, 'SIGKILL');
    await installation.startAgent(machine);
    await eventually(async () => {
      expect(await storageCores()).toBeLessThan(scarce);
    });
    expect((await nodeOf('mysql')).pid).not.toBe(pid);
  });

  it('lifts it with 0', async () => {
    expect(await limit('mysql', '0')).toMatchObject({ status: 'done' });
    await eventually(async () => {
      expect(await storageCores()).toBeGreaterThan(scarce);
    });
  });

  it('holds sessions of a compute node that begin later', async () => {
    expect(await limit('pg', String(quota))).toMatchObject({ status: 'done' });
    expect(await computeCores()).toBeLessThan(scarce);
    expect(await limit('pg', 0)).toMatchObject({ status: 'done', error: null });
  });

  it('takes a share, which is no bound', async () => {
    expect(await limit('mysql', 2, { cgroup_mode: 'share' })).toMatchObject({ status: 'done' });
    await eventually(async () => {
      expect(await storageCores()).toBeGreaterThan(scarce);
    });
  });
});

describe('update_instance_cgroup refuses', () => {
  it.each([
    ['cpu_cores', 'many', 'must be a number from 0 to 1024'],
    ['cpu_cores', -1, 'must be a number from 0 to 1024'],
    ['cgroup_mode', 'hard', 'must be one of quota, share'],
    ['type', 'oracle', 'must be one of mysql, pg'],
    ['type', 'pg', 'is a storage node (mysql)'],
    ['port', 1, 'no node of a cluster has the address'],
  ])('%s = %s', async (field, value, rule) => {
    await expect(limit('mysql', 1, { [field]: value })).rejects.toThrow(rule);
  });
});
