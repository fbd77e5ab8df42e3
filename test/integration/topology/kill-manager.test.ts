import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { expectHealthy } from '../../support/healthy.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { expectWorkingCluster } from '../../support/working-cluster.ts';

const testMs = 180_000;

let installation: ProcessInstallation;
let visitedFile: string;
let id = '';

beforeAll(async () => {
  installation = await ProcessInstallation.start(await scratchDirectory(), {
    network: '127.0.42',
    machines: 2,
  });
  visitedFile = join(installation.home.directory, 'fault-points');
  const paras = { ha_mode: 'no_rep', shards: '1', nodes: '1', comps: '1', dbcfg: '1', max_connections: '20' };
  id = String(Number((await installation.run('create_cluster', paras)).attachment?.['cluster_id']));
});
afterAll(() => installation?.close());

async function visited(file: string): Promise<readonly string[]> {
  return (await readFile(file, 'utf8')).trim().split('\n');
}

/** Places around the steps that are the same for every job type: other tests kill there. */
const commonPlaces = [
  'prepare:before',
  'prepare:after-store',
  'end:before',
  'end:after-store',
  'undo:before',
];

/** One place in so many: `npm run chaos -- --sweep` kills at all of them, which takes longer than the tests may. */
const oneIn = 3;

/** The job, when the manager was killed once at some places of its steps, also those of the way back after `failing`. */
async function killed(jobType: string, paras: Record<string, string>, failing?: string): Promise<JobJson> {
  let file = visitedFile;
  if (failing !== undefined) {
    // On the way forward managers were killed before.
    file = `${visitedFile}-${jobType}-undo`;
    await appendFile(file, `${(await visited(visitedFile)).join('\n')}\n`);
  }
  await appendFile(file, commonPlaces.map((place) => `${jobType}:${place}\n`).join(''));
  const kill = `kill-sampled:${String(oneIn)}:16`;
  const mode = failing === undefined ? kill : `${kill},fail:${jobType}:${failing}`;
  const { job } = await installation.survive(jobType, { cluster_id: id, ...paras }, { mode, file });
  const places = failing === undefined ? ['before', 'after-run'] : ['undo-before', 'undo-after-run'];
  const steps = job.steps.filter(({ state }) => state === (failing === undefined ? 'done' : 'undone'));
  const wanted = steps.flatMap(({ path }) => places.map((place) => `${jobType}:${path}:${place}`));
  const killedAt = new Set(await visited(file));
  expect(wanted.filter((place) => killedAt.has(place))).not.toEqual([]);
  await expectHealthy(installation.client);
  return job;
}

const shape = async (): Promise<readonly [number, number]> => {
  const { shards, comps } = await installation.client.cluster(id);
  return [shards.length, comps.length];
};

async function newest(kind: 'shard' | 'comp'): Promise<number> {
  const { shards, comps } = await installation.client.cluster(id);
  const ids = kind === 'shard' ? shards.map((shard) => shard.shard_id) : comps.map((comp) => comp.comp_id);
  return ids.at(-1) ?? expect.fail(`the cluster has no ${kind}`);
}

describe('when the manager is killed at one place after another', { timeout: testMs }, () => {
  it('add_shards still adds the shard', async () => {
    const job = await killed('add_shards', { shards: '1', nodes: '1' });
    expect(job).toMatchObject({ status: 'done', error: null });
    expect(await shape()).toEqual([2, 1]);
  });

  it('an add_shards that fails undoes everything', async () => {
    const failing = 'add_shards/install/shard_3/prove:after-run';
    const job = await killed('add_shards', { shards: '1', nodes: '1' }, failing);
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'internal' } });
    expect(await shape()).toEqual([2, 1]);
  });

  it('add_comps still adds the compute node', async () => {
    const job = await killed('add_comps', { comps: '1' });
    expect(job).toMatchObject({ status: 'done', error: null });
    expect(await shape()).toEqual([2, 2]);
  });

  it('an add_comps that fails undoes everything', async () => {
    const failing = 'add_comps/connections:after-run';
    const job = await killed('add_comps', { comps: '1' }, failing);
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'internal' } });
    expect(await shape()).toEqual([2, 2]);
  });

  it('delete_shard still removes the shard', async () => {
    const job = await killed('delete_shard', { shard_id: String(await newest('shard')) });
    expect(job).toMatchObject({ status: 'done', error: null });
    expect(await shape()).toEqual([1, 2]);
  });

  it('delete_comp still removes the compute node', async () => {
    const job = await killed('delete_comp', { comp_id: String(await newest('comp')) });
    expect(job).toMatchObject({ status: 'done', error: null });
    await expectWorkingCluster(installation, Number(id), { shards: 1, nodes: 1, comps: 1 });
  });

  it('nothing of all this is left when the cluster is deleted', async () => {
    await installation.run('delete_cluster', { cluster_id: id });
    await expectNothingLeft(installation);
  });
});
