import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startAgent, type Agent } from '../../../src/agent/agent.ts';
import { detectCgroup } from '../../../src/agent/cgroup/detect.ts';
import { AgentClient } from '../../../src/client/agent.ts';
import type { InstanceSpec } from '../../../src/core/agent-protocol.ts';
import { instanceId } from '../../../src/core/ids.ts';
import { signRequest } from '../../../src/core/request-signature.ts';
import {
  agentOptions,
  eventually,
  mysqlSpec,
  postgresSpec,
  testClient,
  testSecret,
  watchEvents,
} from '../../support/agent-fixture.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const hostaddr = '127.0.2.13';
const id = instanceId('protocol-1');
let directory: string;
let agent: Agent;
let client: AgentClient;

beforeAll(async () => {
  directory = await scratchDirectory();
  agent = await startAgent(await agentOptions(directory, { hostaddr, port: 0 }));
  client = testClient(agent.address);
});

afterAll(async () => {
  await agent.close();
});

const url = (path: string) => `http://${client.address}${path}`;

describe('who may speak', () => {
  test('health is open and names the engines', async () => {
    expect(await client.health()).toMatchObject({
      hostaddr,
      pid: process.pid,
      engines: { mysql: { version: expect.any(String) }, postgres: { version: expect.any(String) } },
    });
  });

  test('an unsigned request is refused', async () => {
    const response = await fetch(url('/v1/instances'));
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      error: { kind: 'unauthorized', message: expect.stringContaining('x-kluster-signature is missing') },
    });
  });

  test('a request signed with another secret is refused', async () => {
    const stranger = new AgentClient({ ...agent.address, secret: 'another-secret-of-tests', epoch: () => 1 });
    await expect(stranger.instances()).rejects.toMatchObject({ kind: 'unauthorized' });
  });

  test('a request that was heard cannot be repeated, changed, or sent to another agent', async () => {
    const path = '/v1/ports/check';
    const body = JSON.stringify({ hostaddr, ports: [] });
    const request = { method: 'POST', path, target: client.address, body };
    const headers = { ...signRequest(testSecret, request, 1), 'content-type': 'application/json' };
    const send = async (sent: string, signed: Record<string, string>) =>
      (await fetch(url(path), { method: 'POST', headers: signed, body: sent })).status;
    expect(await send(body, headers)).toBe(200);
    expect(await send(body, headers)).toBe(401);
    const changed = { ...signRequest(testSecret, request, 1), 'content-type': 'application/json' };
    expect(await send(JSON.stringify({ hostaddr, ports: [22_399] }), changed)).toBe(401);
    const elsewhere = signRequest(testSecret, { ...request, target: '127.0.2.99:35002' }, 1);
    expect(await send(body, { ...elsewhere, 'content-type': 'application/json' })).toBe(401);
  });

  test('a manager of an earlier term is refused, also by the next agent', async () => {
    const machine = await scratchDirectory();
    const options = await agentOptions(machine, { hostaddr, port: 0 });
    const first = await startAgent(options);
    await testClient(first.address, 7).instances();
    await expect(testClient(first.address, 6).instances()).rejects.toMatchObject({ kind: 'stale_epoch' });
    await first.close();
    const second = await startAgent(options);
    onTestFinished(() => second.close());
    await expect(testClient(second.address, 6).instances()).rejects.toMatchObject({
      kind: 'stale_epoch',
      message: expect.stringContaining('obeys epoch 7'),
    });
  });

  test('an agent that is not there is named', async () => {
    const nobody = testClient({ hostaddr, port: 22_398 });
    await expect(nobody.instances()).rejects.toMatchObject({
      kind: 'agent_unreachable',
      message: expect.stringContaining('127.0.2.13:22398'),
    });
  });
});

describe('what is asked', () => {
  const base = { hostaddr, port: 22_310, directory: '/nowhere' };
  const wrong: readonly (readonly [string, InstanceSpec, RegExp])[] = [
    ['a relative path', mysqlSpec(base, { datadir: 'data' }), /datadir is "data": must be an absolute path/],
    [
      'a path with ..',
      mysqlSpec(base, { logdir: '/a/../etc' }),
      /logdir is "\/a\/..\/etc": must be an absolute path/,
    ],
    ['the root directory', mysqlSpec(base, { walLogDir: '//' }), /walLogDir is "\/\/"/],
    [
      'a host name',
      mysqlSpec({ ...base, hostaddr: 'host.example' }),
      /hostaddr is "host.example": must be an IP/,
    ],
    ['a port out of range', postgresSpec({ ...base, port: 70_000 }), /port is 70000: must be <= 65535/],
    ['a group name that is none', mysqlSpec(base, { groupName: 'x\nserver_id=1' }), /groupName is /],
    ['accounts of another installation', postgresSpec(base, { sealedAccounts: 'AAAA' }), /sealedAccounts/],
  ];
  test.each(wrong)('%s is refused before anything is made', async (_name, spec, message) => {
    await expect(client.create(id, spec)).rejects.toThrow(message);
    expect(await client.instances()).toEqual([]);
  });

  test('a body that is too large, and a verb that does not exist', async () => {
    const spec = mysqlSpec(base, { labels: { role: 'x'.repeat(300_000) } });
    await expect(client.create(id, spec)).rejects.toMatchObject({ kind: 'body_too_large' });
    expect((await fetch(url('/v1/shell'), { method: 'POST' })).status).toBe(401);
  });

  test('an unknown instance', async () => {
    await expect(client.start(id)).rejects.toMatchObject({ kind: 'instance_not_found' });
    await expect(client.remove(id)).resolves.toBeUndefined();
  });
});

describe('the machine', () => {
  test('busy ports', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(22_320, hostaddr, resolve));
    onTestFinished(() => {
      server.close();
    });
    expect(await client.busyPorts({ hostaddr, ports: [22_320, 22_321] })).toEqual([22_320]);
  });

  test('space, of directories that are made when they are missing', async () => {
    const path = join(directory, 'not', 'there', 'yet');
    const [space] = await client.pathSpaces([path]);
    expect(space?.path).toBe(path);
    expect(space?.availableMb).toBeGreaterThan(0);
    expect(space?.totalMb).toBeGreaterThan(space?.usedMb ?? Number.POSITIVE_INFINITY);
    await expect(client.pathSpaces(['/a/../b'])).rejects.toMatchObject({ kind: 'invalid_parameters' });
  });

  test('load, and a heartbeat twice a second', async () => {
    const stats = await client.stats();
    expect(stats.availableMemoryMb).toBeGreaterThan(0);
    expect(stats.availableMemoryMb).toBeLessThanOrEqual(stats.totalMemoryMb);
    expect(stats.cpuBusy).toBeGreaterThanOrEqual(0);
    expect(stats.cpuBusy).toBeLessThanOrEqual(1);
    const events = watchEvents(client);
    await eventually('two heartbeats', () =>
      events.filter(({ type }) => type === 'heartbeat').length >= 2 ? true : undefined,
    );
    expect(events[0]).toMatchObject({ type: 'hello', instances: [] });
  });
});

describe('cpu limits', () => {
  const present = process.getuid?.() === 0 ? detectCgroup() : null;

  test.skipIf(present === null)(
    'are in force, read back from the kernel, and go with the instance',
    async () => {
      const spec = postgresSpec(
        { hostaddr, port: 22_330, directory },
        { cpuLimit: { cores: 0.5, mode: 'quota' } },
      );
      const view = await client.create(id, spec);
      onTestFinished(() => client.remove(id));
      const memberships = await readFile(`/proc/${String(view.pid)}/cgroup`, 'utf8');
      expect(memberships).toContain(`/kluster/${id}.`);
      const group = /\/kluster\/(.+)$/m.exec(memberships)?.[1] ?? '';
      const limits = [{ cores: 1.5, mode: 'quota' }, { cores: 2, mode: 'share' }, null] as const;
      for (const limit of limits) expect(await client.setCpuLimit(id, limit)).toEqual(limit);
      const groups = present?.version === 'v1' ? '/sys/fs/cgroup/cpu/kluster' : '/sys/fs/cgroup/kluster';
      const members = join(groups, group, 'cgroup.procs');
      expect(await readFile(members, 'utf8')).toContain(String(view.pid));
      await client.remove(id);
      await expect(readFile(members)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );

  test('without a controller a limit is a warning at creation and an error when asked for', async () => {
    const machine = await scratchDirectory();
    const options = await agentOptions(machine, { hostaddr, port: 0 });
    const bare = await startAgent({ ...options, cgroup: null });
    const bareClient = testClient(bare.address);
    onTestFinished(async () => {
      await bareClient.remove(id);
      await bare.close();
    });
    const spec = postgresSpec(
      { hostaddr, port: 22_340, directory: machine },
      { cpuLimit: { cores: 1, mode: 'share' } },
    );
    const view = await bareClient.create(id, spec);
    expect(view).toMatchObject({
      state: 'running',
      warnings: [expect.stringContaining('cpu limit not in force')],
    });
    const asked = bareClient.setCpuLimit(id, { cores: 1, mode: 'share' });
    await expect(asked).rejects.toMatchObject({ kind: 'cgroup_unavailable' });
  });
});
