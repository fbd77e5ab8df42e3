import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAgent, type Agent } from '../../../src/agent/agent.ts';
import type { AgentClient } from '../../../src/client/agent.ts';
import { instanceId } from '../../../src/core/ids.ts';
import {
  accountFor,
  agentOptions,
  eventually,
  postgresSpec,
  testClient,
} from '../../support/agent-fixture.ts';
import { postgresSession } from '../../support/engine-sessions.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const hostaddr = '127.0.2.11';
const at = { hostaddr, port: 22_110 };
const id = instanceId('compute-1');
let directory: string;
let agent: Agent;
let client: AgentClient;

beforeAll(async () => {
  directory = await scratchDirectory();
  agent = await startAgent(await agentOptions(directory, { hostaddr, port: 0 }));
  client = testClient(agent.address);
  await client.create(id, postgresSpec({ ...at, directory }));
});

afterAll(async () => {
  await client.remove(id);
  await agent.close();
});

test('a new compute node serves the superuser it was made with, durably', async () => {
  expect(await client.instance(id)).toMatchObject({ engine: 'postgres', state: 'running', warnings: [] });
  const session = await postgresSession(at, accountFor('management'));
  const settings = await session.query(
    `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
            current_setting('max_prepared_transactions')::int > 0 AS prepared,
            current_setting('is_superuser') AS superuser, current_setting('listen_addresses') AS listens`,
  );
  expect(settings.rows).toEqual([
    { fsync: 'on', commit: 'on', prepared: true, superuser: 'on', listens: hostaddr },
  ]);
});

test('nobody gets in over the network without a password, nor as the local role', async () => {
  const { user } = accountFor('management');
  const wrong = { ...accountFor('management'), password: 'not-the-password' };
  await expect(postgresSession(at, wrong)).rejects.toThrow(
    `password authentication failed for user "${user}"`,
  );
  const local = { ...wrong, user: 'kluster_agent' };
  await expect(postgresSession(at, local)).rejects.toThrow(/password authentication failed/);
});

test('a postmaster that is killed comes back with its data', async () => {
  const session = await postgresSession(at, accountFor('management'));
  await session.query('CREATE TABLE kept AS SELECT 42 AS answer');
  const before = await client.instance(id);
  process.kill(before.pid ?? 0, 'SIGKILL');
  await eventually('running again', async () => {
    const view = await client.instance(id);
    return view.state === 'running' && view.pid !== before.pid ? view : undefined;
  });
  const again = await postgresSession(at, accountFor('management'));
  expect((await again.query('SELECT answer FROM kept')).rows).toEqual([{ answer: 42 }]);
});

test('stopping fast ends open sessions and is remembered', async () => {
  await postgresSession(at, accountFor('management'));
  const stopped = await client.stop(id, 'fast');
  expect(stopped).toMatchObject({ state: 'stopped', desired: 'stopped', pid: null });
  expect(stopped.lastExit?.reason).toBe('exit code 0');
  expect((await client.start(id)).state).toBe('running');
});

test('stopping at once leaves no process behind', async () => {
  const { pid } = await client.instance(id);
  await client.stop(id, 'immediate');
  const parents = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => {
        const status = await import('node:fs/promises')
          .then(({ readFile }) => readFile(`/proc/${name}/cmdline`, 'utf8'))
          .catch(() => '');
        return status.includes(join(directory, 'comp')) ? name : '';
      }),
  );
  expect(parents.filter((name) => name !== '')).toEqual([]);
  expect(pid).not.toBeNull();
  await client.start(id);
});

test('removing leaves nothing', async () => {
  const second = instanceId('compute-2');
  await client.create(second, postgresSpec({ hostaddr, port: 22_120, directory }));
  await client.remove(second);
  expect(await readdir(join(directory, 'comp'))).toEqual([id]);
});
