import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { TestInstallation, type TestMachine } from '../../support/installation.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const single = { ha_mode: 'no_rep', shards: '1', nodes: '1', comps: '1', dbcfg: '1' };
/** MiB; room for one small cluster of one storage node and one compute node (296), not for two. */
const scarceMemory = '400';

let installation: TestInstallation;
let roomy: TestMachine;
let scarce: TestMachine;

beforeAll(async () => {
  const layout = { network: '127.0.33', machines: 2 };
  installation = await TestInstallation.prepare(await scratchDirectory(), layout);
  const [first, second] = installation.machines;
  if (first === undefined || second === undefined) throw new Error('two machines are wanted');
  [roomy, scarce] = [first, second];
  for (const { hostaddr } of installation.machines) await installation.startAgent(hostaddr);
  await installation.startManager();
  await installation.register(roomy);
  await installation.register(scarce, { total_mem: scarceMemory });
});
afterAll(() => installation?.close());

const on = ({ hostaddr }: TestMachine) => ({
  ...single,
  storage_iplists: [hostaddr],
  computer_iplists: [hostaddr],
});

function named({ attachment }: JobJson, key: string): string {
  const value = attachment?.[key];
  return typeof value === 'string' ? value : '';
}

const clusterOf = (job: JobJson): string => named(job, 'cluster_id');

/** A create_cluster job whose cluster can be seen in the catalog and is far from complete. */
async function beingMade(): Promise<{
  readonly id: number;
  readonly cluster: string;
  readonly name: string;
}> {
  const id = await installation.submit('create_cluster', on(roomy));
  for (;;) {
    const job = await installation.client.job(id);
    if (job.phase === 'ended') throw new Error('the job was too fast for this test');
    const cluster = clusterOf(job);
    if (cluster !== '') return { id, cluster, name: named(job, 'cluster_name') };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('a cluster that is being made', () => {
  it('cannot be deleted; its job can be cancelled, and then nothing is left', async () => {
    const { id, cluster, name } = await beingMade();
    const refusal = `job ${String(id)} is still making or removing ${name}`;
    await expect(installation.submit('delete_cluster', { cluster_id: cluster })).rejects.toThrow(refusal);
    await expect(installation.submit('delete_cluster', { cluster_name: name })).rejects.toThrow(refusal);
    await installation.client.cancel(id);
    expect(await installation.ended(id)).toMatchObject({
      status: 'failed',
      error: { kind: 'job_cancelled' },
    });
    await expect(installation.submit('delete_cluster', { cluster_id: cluster })).rejects.toThrow(
      'must be the id of a cluster',
    );
    await expectNothingLeft(installation);
  });
});

/** Milliseconds since 1970. */
const time = (at: string | null): number => (at === null ? Number.NaN : Date.parse(at));

/** Jobs on one cluster run one after the other, in the order in which they came; those on another one beside them. */
async function expectQueued(busy: string, other: string): Promise<void> {
  const adding = (cluster: string) => installation.submit('add_comps', { cluster_id: cluster, comps: '1' });
  const ids = [await adding(busy), await adding(busy), await adding(other)];
  const second = await installation.client.job(ids[1] ?? 0);
  expect(second.waiting_for).toEqual([{ lock: `cluster:${busy}`, job_id: ids[0] }]);
  const jobs = await Promise.all(ids.map((id) => installation.ended(id)));
  expect(jobs.map(({ status, error }) => [status, error])).toEqual(jobs.map(() => ['done', null]));
  const [first, queued, beside] = jobs.map(({ started_at, ended_at }) => ({
    from: time(started_at),
    to: time(ended_at),
  }));
  if (first === undefined || queued === undefined || beside === undefined) throw new Error('three jobs');
  expect(queued.from).toBeGreaterThanOrEqual(first.to);
  expect(beside.from).toBeLessThan(first.to);
  expect(first.from).toBeLessThan(beside.to);
}

describe('clusters that are made at the same time on the same machine', { timeout: 180_000 }, () => {
  it('get different ports; jobs on one of them queue, those on different ones run side by side', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => installation.submit('create_cluster', on(roomy))));
    const jobs = await Promise.all(ids.map((id) => installation.ended(id)));
    for (const job of jobs) expect(job).toMatchObject({ status: 'done', error: null });
    const { clusters } = await installation.client.status();
    const ports = clusters.flatMap(({ shards, comps }) => [
      ...shards.flatMap(({ nodes }) => nodes.map(({ port }) => port)),
      ...comps.map(({ port }) => port),
    ]);
    expect(ports).toHaveLength(6);
    expect(new Set(ports).size).toBe(6);
    const [busy, other] = jobs.map(clusterOf);
    await expectQueued(busy ?? '', other ?? '');
    const deletions = await Promise.all(
      jobs.map((job) => installation.run('delete_cluster', { cluster_id: clusterOf(job) })),
    );
    for (const job of deletions) expect(job).toMatchObject({ status: 'done', notes: [] });
    await expectNothingLeft(installation);
  });

  it('are not promised the same memory', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => installation.submit('create_cluster', on(scarce))));
    const jobs = await Promise.all(ids.map((id) => installation.ended(id)));
    const [made, ...others] = jobs.filter(({ status }) => status === 'done');
    expect(others).toEqual([]);
    const failed = jobs.filter(({ status }) => status === 'failed');
    expect(failed.map(({ error }) => error?.kind)).toEqual(Array(2).fill('not_enough_storage_machines'));
    if (made === undefined) throw new Error('no cluster was made although one has room');
    await installation.done('delete_cluster', { cluster_id: clusterOf(made) });
    await expectNothingLeft(installation);
  });
});
