import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComputeNode, StorageNode } from '../../../src/core/model.ts';
import { readShardIdentity } from '../../../src/engines/postgres/shards.ts';
import { numberOf, textOf } from '../../../src/engines/sql.ts';
import { CatalogProbe, eventually, type ProbedShard } from '../../support/catalog-probe.ts';
import { TestInstallation } from '../../support/installation.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let installation: TestInstallation;
let probe: CatalogProbe;
let id = 0;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), {
    network: '127.0.29',
    machines: 1,
  });
  probe = await CatalogProbe.open(installation.home);
  const shape = { ha_mode: 'no_rep', shards: '2', nodes: '1', comps: '1', dbcfg: '1' };
  const job = await installation.done('create_cluster', shape);
  id = Number(job.attachment?.['cluster_id']);
});
afterAll(async () => {
  await probe?.close();
  await installation?.close();
});

async function comp(): Promise<ComputeNode> {
  const [only] = (await probe.cluster(id)).comps;
  return only ?? expect.fail('there is no compute node');
}

async function shard(index: number): Promise<ProbedShard> {
  return (await probe.cluster(id)).shards[index] ?? expect.fail('there is no such shard');
}

async function reads({ name }: ProbedShard): Promise<boolean> {
  const identity = await probe.onCompute(
    await comp(),
    (session) => readShardIdentity(session, name),
    'compute_superuser',
  );
  return identity?.shardName === name;
}

const becomes = (status: ComputeNode['status']): Promise<void> =>
  eventually(async () => expect((await comp()).status).toBe(status), 60_000);

async function computeAccount(at: StorageNode, state: 'LOCK' | 'UNLOCK'): Promise<void> {
  await probe.onStorage(at, (session) => session.query(`ALTER USER 'kluster_compute'@'%' ACCOUNT ${state}`));
}

/** As every change of the cluster does; ends when the compute node has it. */
async function changeTopology(): Promise<void> {
  await onMetadata(installation, (session) =>
    session.execute('UPDATE kluster_topology SET generation = generation + 1 WHERE cluster_id = ?', [id]),
  );
  await eventually(async () => {
    const [row] = await probe.rows(
      `SELECT CAST(wanted.generation - applied.generation AS SIGNED) AS missing
         FROM kluster_topology AS wanted JOIN kluster_topology_applied AS applied
           ON applied.comp_node_id = ? WHERE wanted.cluster_id = ?`,
      [(await comp()).id, id],
    );
    expect(row === undefined ? 'none' : numberOf(row, 'missing')).toBe(0);
  });
}

const control = (at: StorageNode | ComputeNode, verb: string) =>
  installation.run('control_instance', {
    hostaddr: at.hostaddr,
    port: String(at.port),
    control: verb,
    cluster_id: String(id),
  });

describe('a compute node that runs but cannot read a shard', { timeout: 180_000 }, () => {
  it('is inactive until it can, also when it is told of changes and started again', async () => {
    const { primary, ...second } = await shard(1);
    expect((await comp()).status).toBe('active');
    await computeAccount(primary, 'LOCK');
    await becomes('inactive');
    await changeTopology();
    expect((await comp()).status).toBe('inactive');
    const restarted = await control(await comp(), 'restart');
    expect(restarted.status).toBe('failed');
    expect(restarted.error?.message).toContain('cannot read shard_2');
    expect((await comp()).status).toBe('inactive');
    await computeAccount(primary, 'UNLOCK');
    await becomes('active');
    expect(await reads({ primary, ...second })).toBe(true);
  });

  it('is not blamed for a shard that nobody can read', async () => {
    const { primary, ...second } = await shard(1);
    expect((await control(primary, 'stop')).status).toBe('done');
    await changeTopology();
    expect((await control(await comp(), 'restart')).status).toBe('done');
    expect((await comp()).status).toBe('active');
    expect((await control(primary, 'start')).status).toBe('done');
    await eventually(async () => expect(await reads({ primary, ...second })).toBe(true));
    expect((await comp()).status).toBe('active');
  });
});

describe('a machine whose agent is lost', () => {
  it('is offline, and in the state that the operator gave it', async () => {
    const [machine] = installation.machines;
    if (machine === undefined) throw new Error('there is no machine');
    await installation.done('set_machine', { hostaddr: machine.hostaddr, node_stats: 'idle' });
    await installation.stopAgent(machine.hostaddr);
    const seen = async () => {
      const [shown] = (await installation.client.status()).machines;
      const rows = await probe.rows(
        "SELECT DISTINCT node_stats AS state FROM server_nodes WHERE hostaddr <> 'pseudo_server_useless'",
      );
      return { status: shown?.status, states: rows.map((row) => textOf(row, 'state')) };
    };
    await eventually(
      async () => expect(await seen()).toEqual({ status: 'offline', states: ['idle'] }),
      60_000,
    );
    await installation.startAgent(machine.hostaddr);
    await eventually(
      async () => expect(await seen()).toEqual({ status: 'online', states: ['idle'] }),
      60_000,
    );
  });
});
