import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { expectWorkingCluster } from '../../support/working-cluster.ts';

const cluster = { ha_mode: 'rbr', shards: '1', nodes: '3', comps: '1', dbcfg: '1' };
const shape = { shards: 1, nodes: 3, comps: 1 };
const testMs = 180_000;

let installation: ProcessInstallation;
let visitedFile: string;
let clusterId = 0;

beforeAll(async () => {
  installation = await ProcessInstallation.start(await scratchDirectory(), {
    network: '127.0.21',
    machines: 3,
  });
  visitedFile = join(installation.home.directory, 'fault-points');
});
afterAll(() => installation?.close());

async function visited(file = visitedFile): Promise<readonly string[]> {
  return (await readFile(file, 'utf8')).trim().split('\n');
}

const placesOf = (jobType: string, path: string, places: readonly string[]) =>
  places.map((place) => `${jobType}:${path}:${place}`);
// Not after-store: the output of a step may be stored with that of another, whose manager dies first.
const stepPlaces = ['before', 'after-run'];
const undoPlaces = ['undo-before', 'undo-after-run'];

describe('when the manager is killed at every place once', { timeout: testMs }, () => {
  it('create_cluster still makes a cluster that works', async () => {
    const faults = { mode: 'kill-everywhere', file: visitedFile };
    const { job, kills } = await installation.survive('create_cluster', cluster, faults);
    expect(job).toMatchObject({ status: 'done', error: null });
    const points = await visited();
    expect(kills).toBe(points.length);
    const paths = job.steps.flatMap(({ path }) => placesOf('create_cluster', path, stepPlaces));
    expect(points).toEqual(expect.arrayContaining(paths));
    expect(points).toContain('create_cluster:prepare:after-run');
    clusterId = Number(job.attachment?.['cluster_id']);
    await expectWorkingCluster(installation, clusterId, shape);
  });

  it('manual_switch still moves the primary, whether the old one was only closed or the new one recorded', async () => {
    const faults = { mode: 'kill-everywhere', file: visitedFile };
    const [shard] = (await installation.client.cluster(String(clusterId))).shards;
    const source = shard?.nodes.find(({ role }) => role === 'source');
    if (shard === undefined || source === undefined) throw new Error('the shard has no primary');
    const { job } = await installation.survive(
      'manual_switch',
      {
        cluster_id: String(clusterId),
        shard_id: String(shard.shard_id),
        master_hostaddr: `${source.hostaddr}_${String(source.port)}`,
      },
      faults,
    );
    expect(job).toMatchObject({ status: 'done', error: null });
    const step = 'manual_switch:manual_switch/switch';
    expect(await visited()).toEqual(
      expect.arrayContaining([`${step}:closed`, `${step}:recorded`, `${step}:after-run`]),
    );
    const [after] = (await installation.client.cluster(String(clusterId))).shards;
    expect(after?.nodes.find(({ role }) => role === 'source')?.hostaddr).not.toBe(source.hostaddr);
    await expectWorkingCluster(installation, clusterId, shape);
  });

  it('delete_cluster still removes everything', async () => {
    const faults = { mode: 'kill-everywhere', file: visitedFile };
    const paras = { cluster_id: String(clusterId) };
    const { job, kills } = await installation.survive('delete_cluster', paras, faults);
    expect(job).toMatchObject({ status: 'done', error: null, notes: [] });
    const points = (await visited()).filter((point) => point.startsWith('delete_cluster:'));
    expect(kills).toBe(points.length);
    const paths = job.steps.flatMap(({ path }) => placesOf('delete_cluster', path, stepPlaces));
    expect(points).toEqual(expect.arrayContaining(paths));
    await expectNothingLeft(installation);
  });

  it('a create_cluster that fails in its last step still undoes everything', async () => {
    const failing = 'create_cluster:create_cluster/activate:before';
    // On the way forward the managers were killed in the first test.
    const file = `${visitedFile}-undo`;
    await appendFile(file, `${(await visited()).join('\n')}\n`);
    const before = (await visited(file)).length;
    const faults = { mode: `kill-everywhere,fail:${failing}`, file };
    const { job, kills } = await installation.survive('create_cluster', cluster, faults);
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'internal' } });
    const points = (await visited(file)).slice(before);
    expect(kills).toBe(points.length);
    const undone = job.steps.filter(({ state }) => state === 'undone').map(({ path }) => path);
    expect(undone).toContain('create_cluster/register');
    expect(undone).toContain('create_cluster/install/shard_1/nodes/node_3');
    expect(points).toEqual(
      expect.arrayContaining([
        'create_cluster:undo:before',
        'create_cluster:undo:after-store',
        ...undone.flatMap((path) => placesOf('create_cluster', path, undoPlaces)),
      ]),
    );
    await expectNothingLeft(installation);
  });
});
