import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { leftProcesses, type LeftProcess } from '../../support/leftovers.ts';
import { expectNothingLeft, whatIsLeft } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { expectWorkingCluster } from '../../support/working-cluster.ts';

const replicated = { ha_mode: 'rbr', shards: '1', nodes: '3', comps: '1', dbcfg: '1' };
const single = { ha_mode: 'no_rep', shards: '1', nodes: '1', comps: '1', dbcfg: '1' };
type Paras = typeof replicated;

const network = '127.0.21';
const testMs = 120_000;
const returnMs = 30_000;

let installation: ProcessInstallation;

beforeAll(async () => {
  installation = await ProcessInstallation.start(await scratchDirectory(), { network, machines: 3 });
});
afterAll(() => installation?.close());

const clusterOf = (job: JobJson): number => Number(job.attachment?.['cluster_id']);

const isRunning = (part: string) => (job: JobJson) =>
  job.steps.some(({ path, state }) => path.includes(part) && state === 'running');

/** The machine that a step of the job works on, as its title says. */
function machineOf(job: JobJson, part: string): string {
  const title = job.steps.find(({ path }) => path.includes(part))?.title ?? '';
  const found = installation.machines.find(({ hostaddr }) => title.includes(hostaddr));
  if (found === undefined) throw new Error(`step ${part} is on no machine: ${title}`);
  return found.hostaddr;
}

/** The engine process on a machine, as soon as there is one. */
async function engineOn(hostaddr: string, mark: string): Promise<LeftProcess> {
  const { dataDirectory } = installation.machine(hostaddr);
  const deadline = performance.now() + returnMs;
  while (performance.now() < deadline) {
    const processes = await leftProcesses({ id: dataDirectory, directory: dataDirectory }, 0);
    const engine = processes.find(({ command }) => command.includes(mark));
    if (engine !== undefined) return engine;
    await sleep(20);
  }
  throw new Error(`no process with ${mark} on ${hostaddr}`);
}

const mysqldMark = '--defaults-file=';

/** Machines that were away need a moment to be told what to remove. */
async function eventuallyNothingLeft(): Promise<void> {
  const deadline = performance.now() + returnMs;
  while ((await whatIsLeft(installation)).length > 0 && performance.now() < deadline) await sleep(100);
  await expectNothingLeft(installation);
}

/** Done with a cluster that works, or failed; in the end, with the cluster deleted, nothing is left. */
async function expectSettled(id: number, paras: Paras): Promise<JobJson> {
  const job = await installation.ended(id);
  if (job.status === 'done') {
    const { shards, nodes, comps } = paras;
    const shape = { shards: Number(shards), nodes: Number(nodes), comps: Number(comps) };
    await expectWorkingCluster(installation, clusterOf(job), shape);
    const deleted = await installation.run('delete_cluster', { cluster_id: String(clusterOf(job)) });
    expect(deleted).toMatchObject({ status: 'done' });
  }
  await eventuallyNothingLeft();
  return job;
}

describe('when something dies while a cluster is being made', { timeout: testMs }, () => {
  it('an agent that starts nodes is restarted: the job goes on', async () => {
    const id = await installation.submit('create_cluster', replicated);
    const job = await installation.when(id, 'starts node 2', isRunning('node_2'));
    const hostaddr = machineOf(job, 'node_2');
    await engineOn(hostaddr, mysqldMark);
    await installation.killAgent(hostaddr);
    await installation.startAgent(hostaddr);
    expect(await expectSettled(id, replicated)).toMatchObject({ status: 'done' });
  });

  it('a storage node is killed while it is being made', async () => {
    const id = await installation.submit('create_cluster', single);
    const job = await installation.when(id, 'starts node 1', isRunning('node_1'));
    const { pid } = await engineOn(machineOf(job, 'node_1'), mysqldMark);
    process.kill(pid, 'SIGKILL');
    await expectSettled(id, single);
  });

  it('an agent dies for good: the job fails, and what it had made is removed when the agent returns', async () => {
    const id = await installation.submit('create_cluster', single);
    const job = await installation.when(id, 'starts node 1', isRunning('node_1'));
    const hostaddr = machineOf(job, 'node_1');
    await engineOn(hostaddr, mysqldMark);
    await installation.killAgent(hostaddr);
    expect(await installation.ended(id)).toMatchObject({
      status: 'failed',
      error: { kind: 'agent_unreachable' },
    });
    await installation.startAgent(hostaddr);
    await eventuallyNothingLeft();
  });

  it('cancelling it in the middle leaves nothing', async () => {
    const id = await installation.submit('create_cluster', replicated);
    await installation.when(id, 'starts nodes', isRunning('node_3'));
    await installation.client.cancel(id);
    expect(await installation.ended(id)).toMatchObject({
      status: 'failed',
      error: { kind: 'job_cancelled' },
    });
    await expectNothingLeft(installation);
  });
});

describe('when agents die while a cluster is being deleted', { timeout: testMs }, () => {
  it('what is on machines that are down or do not answer is removed when they are back', async () => {
    const made = await installation.run('create_cluster', replicated);
    const id = String(clusterOf(made));
    const [down, silent] = [machineOf(made, 'node_2'), machineOf(made, 'node_3')];
    await installation.killAgent(down);
    process.kill((await engineOn(down, mysqldMark)).pid, 'SIGKILL');
    const [shard] = (await installation.client.cluster(id)).shards;
    const lost = shard?.nodes.find(({ hostaddr }) => hostaddr === down);
    if (shard === undefined || lost === undefined) throw new Error(`no node on ${down}`);
    const place = { shard_id: String(shard.shard_id), hostaddr: down, port: String(lost.port) };
    const taken = await installation.run('delete_node', { cluster_id: id, ...place });
    expect(taken).toMatchObject({ status: 'done' });
    expect(taken.notes.join('\n')).toContain(`machine ${down} does not answer`);
    expect((await installation.client.cluster(id)).shards[0]?.nodes).toHaveLength(2);
    installation.freezeAgent(silent, true);
    const job = await installation.run('delete_cluster', { cluster_id: id });
    expect(job).toMatchObject({ status: 'done' });
    expect(job.notes.join('\n')).toContain(`machine ${silent} does not answer`);
    await engineOn(silent, mysqldMark);
    installation.freezeAgent(silent, false);
    await installation.startAgent(down);
    await eventuallyNothingLeft();
  });
});
