import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { expectWorkingCluster } from '../../support/working-cluster.ts';

/** A manager starts anew for each kill; on a machine that has other things to do as well that takes its time. */
const testMs = 900_000;
const shape = { shards: 1, nodes: 3, comps: 1 };

let installation: ProcessInstallation;
let visitedFile: string;

beforeAll(async () => {
  installation = await ProcessInstallation.start(await scratchDirectory(), {
    network: '127.0.43',
    machines: 4,
  });
  visitedFile = join(installation.home.directory, 'fault-points');
  const job = await installation.run('create_cluster', {
    ha_mode: 'rbr',
    shards: '1',
    nodes: '3',
    comps: '1',
    dbcfg: '1',
  });
  expect(job.status).toBe('done');
}, testMs);
afterAll(() => installation?.close());

async function visited(): Promise<readonly string[]> {
  return (await readFile(visitedFile, 'utf8')).trim().split('\n');
}

async function nodes(): Promise<readonly StorageNodeJson[]> {
  return (await installation.client.cluster('1')).shards[0]?.nodes ?? [];
}

async function replica(): Promise<StorageNodeJson> {
  const found = (await nodes()).find(({ role }) => role === 'replica');
  if (found === undefined) throw new Error('no replica');
  return found;
}

const rebuilding = ({ hostaddr, port }: StorageNodeJson) => ({
  cluster_id: '1',
  shard_id: '1',
  rb_nodes: [{ hostaddr, port: String(port) }],
  allow_pull_from_master: '1',
});

describe('an add_nodes that fails', { timeout: testMs }, () => {
  it('removes its node, which acknowledged commits already', async () => {
    const failing = 'add_nodes:add_nodes/serve/shard_1/node_1:after-run';
    const faults = { mode: `fail:${failing}`, file: visitedFile };
    const { job } = await installation.survive('add_nodes', { cluster_id: '1', nodes: '1' }, faults);
    expect(job).toMatchObject({ status: 'failed', error: { kind: 'internal' } });
    const undone = job.steps.filter(({ state }) => state === 'undone').map(({ path }) => path);
    expect(undone).toEqual(
      expect.arrayContaining([
        'add_nodes/install/shard_1/nodes/node_1',
        'add_nodes/record',
        'add_nodes/serve/shard_1/node_1',
      ]),
    );
    await expectWorkingCluster(installation, 1, shape);
  });
});

describe('when others are killed in the middle of rebuild_node', { timeout: testMs }, () => {
  it('the node is rebuilt in spite of that: its agent while it is emptied, its server while it is copied to', async () => {
    const node = await replica();
    const id = await installation.submit('rebuild_node', rebuilding(node));
    const running = (step: string) =>
      installation.when(
        id,
        `at ${step}`,
        ({ steps }) => steps.some(({ path, state }) => path.endsWith(step) && state !== 'waiting'),
        60_000,
      );
    await running('/clear_old_data');
    await installation.killAgent(node.hostaddr);
    await installation.startAgent(node.hostaddr);
    await running('/clone_data');
    const pid = (await nodes()).find(
      ({ port, hostaddr }) => port === node.port && hostaddr === node.hostaddr,
    )?.pid;
    if (typeof pid === 'number') process.kill(pid, 'SIGKILL');
    expect(await installation.ended(id, 200_000)).toMatchObject({ status: 'done', error: null });
    await expectWorkingCluster(installation, 1, shape);
  });
});

describe('when the manager is killed at every place once', { timeout: testMs }, () => {
  it('rebuild_node still rebuilds the node', async () => {
    const faults = { mode: 'kill-everywhere', file: visitedFile };
    const { job } = await installation.survive('rebuild_node', rebuilding(await replica()), faults);
    expect(job).toMatchObject({ status: 'done', error: null });
    const points = await visited();
    for (const { path } of job.steps) expect(points).toContain(`rebuild_node:${path}:after-run`);
    await expectWorkingCluster(installation, 1, shape);
  });

  it('add_nodes still adds one', async () => {
    const faults = { mode: 'kill-everywhere', file: visitedFile };
    const { job } = await installation.survive('add_nodes', { cluster_id: '1', nodes: '1' }, faults);
    expect(job).toMatchObject({ status: 'done', error: null });
    const points = await visited();
    for (const { path } of job.steps) expect(points).toContain(`add_nodes:${path}:after-run`);
    await expectWorkingCluster(installation, 1, { ...shape, nodes: 4 });
  });
});
