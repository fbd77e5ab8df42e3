import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AgentOptions } from '../../../src/agent/agent.ts';
import { instanceId } from '../../../src/core/ids.ts';
import { findByArgument, sendSignal, type ProcessIdentity } from '../../../src/engines/process-identity.ts';
import { engineUser } from '../../../src/engines/installation.ts';
import {
  agentOptions,
  eventually,
  mysqlSpec,
  postgresSpec,
  startAgentProcess,
  testClient,
  watchEvents,
} from '../../support/agent-fixture.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const hostaddr = '127.0.2.12';
const address = { hostaddr, port: 22_900 };
const client = testClient(address);
const storage = instanceId('storage-1');
const compute = instanceId('compute-1');
let directory: string;

async function newMachine(): Promise<AgentOptions> {
  directory = await scratchDirectory();
  // Runs when the agents of the test, which would start them again, have ended.
  onTestFinished(async () => {
    for (const engine of await engines()) sendSignal(engine, 'SIGKILL');
  });
  return agentOptions(directory, address);
}

const storageSpec = () => mysqlSpec({ hostaddr, port: 22_210, directory });
const computeSpec = () => postgresSpec({ hostaddr, port: 22_220, directory });

async function engines(): Promise<readonly ProcessIdentity[]> {
  const { uid } = await engineUser();
  const marks = [
    `--defaults-file=${join(directory, 'data', storage, 'mysqld.cnf')}`,
    `--config-file=${join(directory, 'comp', compute, 'postgresql.conf')}`,
  ];
  return marks.flatMap((mark) => findByArgument(mark, uid));
}

const enginesRunning = async (): Promise<number> => (await engines()).length;

test('engines outlive a killed agent, and the next one adopts, watches and stops them', async () => {
  const options = await newMachine();
  const first = await startAgentProcess(options);
  const before = [await client.create(storage, storageSpec()), await client.create(compute, computeSpec())];
  await first.kill();
  expect(await enginesRunning()).toBe(2);

  const second = await startAgentProcess(options);
  const after = await Promise.all([client.instance(storage), client.instance(compute)]);
  expect(after.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
  const ready = await eventually('both running', async () => {
    const views = await client.instances();
    return views.every(({ state }) => state === 'running') ? views : undefined;
  });
  expect(ready).toHaveLength(2);

  const events = watchEvents(client);
  await eventually('hello', () => events.find(({ type }) => type === 'hello'));
  const killedAt = Date.now();
  process.kill(before[0]?.pid ?? 0, 'SIGKILL');
  const seenAt = await eventually('the exit of an adopted process', () =>
    events.some((event) => event.type === 'instance' && event.instance.pid === null) ? Date.now() : undefined,
  );
  console.log(`exit of an adopted process seen by the client after ${String(seenAt - killedAt)} ms`);
  expect(seenAt - killedAt).toBeLessThan(1_000);
  await eventually('started again', async () => {
    const view = await client.instance(storage);
    return view.state === 'running' && view.restarts === 1 ? view : undefined;
  });

  // What stands still while nobody watches: one stopped on purpose, one that ends meanwhile.
  await client.stop(compute, 'fast');
  await second.kill();
  const { pid } = await readView(storage);
  process.kill(pid, 'SIGKILL');
  await startAgentProcess(options);
  await eventually('the missing one started', async () =>
    (await client.instance(storage)).state === 'running' ? true : undefined,
  );
  expect(await client.instance(compute)).toMatchObject({ state: 'stopped', desired: 'stopped', pid: null });
  for (const { instanceId: id } of await client.instances()) await client.remove(id);
  expect(await enginesRunning()).toBe(0);
});

/** The pid of the process, without asking an agent. */
async function readView(id: typeof storage): Promise<{ pid: number }> {
  const { uid } = await engineUser();
  const [found] = findByArgument(`--defaults-file=${join(directory, 'data', id, 'mysqld.cnf')}`, uid);
  if (found === undefined) throw new Error(`${id} does not run`);
  return found;
}

describe('an agent that is killed while it makes an instance', () => {
  // From before the first directory to after the process was started.
  test.each([0, 60, 150, 350])(
    'after %d ms: the next agent finishes it, and removes it whole',
    async (delayMs) => {
      const options = await newMachine();
      const first = await startAgentProcess(options);
      const lost = client.create(storage, storageSpec()).catch((error: unknown) => error);
      await eventually('the record', async () => {
        const names = await readdir(join(directory, 'state', 'instances'));
        return names.includes(`${storage}.json`) ? true : undefined;
      });
      await new Promise((later) => setTimeout(later, delayMs));
      await first.kill();
      expect(await lost).toMatchObject({ kind: 'agent_unreachable' });

      await startAgentProcess(options);
      const view = await client.create(storage, storageSpec());
      expect(view).toMatchObject({ state: 'running', restarts: 0 });
      await client.remove(storage);
      for (const kind of ['data', 'logs', 'wal']) expect(await readdir(join(directory, kind))).toEqual([]);
      expect(await readdir(join(directory, 'state', 'instances'))).toEqual([]);
      expect(await enginesRunning()).toBe(0);
    },
  );

  test('half-made, then deleted instead: everything is gone', async () => {
    const options = await newMachine();
    const first = await startAgentProcess(options);
    const lost = client.create(storage, storageSpec()).catch((error: unknown) => error);
    await eventually('the process', async () => ((await enginesRunning()) === 1 ? true : undefined));
    await first.kill();
    await lost;
    await startAgentProcess(options);
    await client.remove(storage);
    expect(await client.instances()).toEqual([]);
    expect(await enginesRunning()).toBe(0);
    for (const kind of ['data', 'logs', 'wal']) expect(await readdir(join(directory, kind))).toEqual([]);
  });
});

test('an agent that is killed while it removes an instance: the next one finishes', async () => {
  const options = await newMachine();
  const first = await startAgentProcess(options);
  await client.create(compute, computeSpec());
  const lost = client.remove(compute).catch((error: unknown) => error);
  await eventually('the removal begun', async () => {
    const text = await readFile(join(directory, 'state', 'instances', `${compute}.json`), 'utf8').catch(
      () => '',
    );
    return text === '' || text.includes('"deleting"') ? true : undefined;
  });
  await first.kill();
  await lost;
  await startAgentProcess(options);
  await eventually('nothing left', async () => {
    const [views, names] = [await client.instances(), await readdir(join(directory, 'comp'))];
    return views.length === 0 && names.length === 0 ? true : undefined;
  });
});

test('directories that the instance did not make are not touched', async () => {
  const options = await newMachine();
  await startAgentProcess(options);
  const foreign = join(directory, 'comp', compute);
  await mkdir(foreign, { recursive: true });
  await writeFile(join(foreign, 'precious'), 'data');
  await expect(client.create(compute, computeSpec())).rejects.toMatchObject({ kind: 'instance_conflict' });
  expect(await client.instances()).toEqual([]);
  expect(await readFile(join(foreign, 'precious'), 'utf8')).toBe('data');
});

test('two agents never share a state directory', async () => {
  const options = await newMachine();
  await startAgentProcess(options);
  const { Instances } = await import('../../../src/agent/instances.ts');
  const second = Instances.open({
    stateDirectory: options.stateDirectory,
    secret: 'another-secret-of-tests',
    lockWaitMs: 200,
  });
  await expect(second).rejects.toThrow(/Another agent uses the state directory/);
});
