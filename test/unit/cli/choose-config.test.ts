import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chooseConfig } from '../../../src/cli/up/choose-config.ts';
import { ensureHome, homeAt, type Home } from '../../../src/manager/home.ts';
import { readHomeConfig } from '../../../src/manager/home-config.ts';

const hostaddr = '127.0.6.41';
const user = { hostaddr, port: 26_021, agentPort: 26_022 };
let directory: string;
let home: Home;
let occupant: Server | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kluster-choose-'));
  home = homeAt(directory);
  await ensureHome(home);
});

afterEach(async () => {
  const server = occupant;
  occupant = undefined;
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  await rm(directory, { recursive: true, force: true });
});

/** Another program that listens there. */
async function occupy(port: number): Promise<void> {
  const server = createServer();
  occupant = server;
  await new Promise<void>((resolve) => {
    server.listen(port, hostaddr, resolve);
  });
}

const quiet = (): void => undefined;

test('free ports are taken as asked, stored, and kept', async () => {
  const chosen = await chooseConfig(home, user, quiet);
  expect(chosen).toMatchObject({ ...user, bind: hostaddr, tokens: [] });
  expect(await readHomeConfig(home)).toEqual(chosen);
  expect(await chooseConfig(home, {}, quiet)).toEqual(chosen);
});

test('a port that another program holds is replaced by the next free one, which is told', async () => {
  await occupy(user.port);
  const told: string[] = [];
  const chosen = await chooseConfig(home, { ...user, agentPort: user.port }, (text) => told.push(text));
  expect(chosen.port).toBe(user.port + 1);
  expect(chosen.agentPort).toBe(user.port + 2);
  expect(told).toEqual([
    `port ${String(user.port)} is taken: the manager uses ${String(user.port + 1)}`,
    `port ${String(user.port)} is taken: the agent uses ${String(user.port + 2)}`,
  ]);
});

test('a range of node ports moves aside when its beginning is in use', async () => {
  await occupy(57_001);
  expect((await chooseConfig(home, user, quiet)).storagePorts).toBe('58001-59001');
});

test('an address that others can reach gets a token', async () => {
  const chosen = await chooseConfig(home, { ...user, bind: '0.0.0.0' }, quiet);
  expect(chosen.tokens).toEqual([{ name: 'operator', token: expect.stringMatching(/^\w{32}$/) }]);
  expect(await chooseConfig(home, {}, quiet)).toEqual(chosen);
});

test('another address than the stored one is refused, naming the file', async () => {
  await chooseConfig(home, user, quiet);
  await expect(chooseConfig(home, { hostaddr: '127.0.6.42' }, quiet)).rejects.toMatchObject({
    kind: 'configuration',
    message: expect.stringContaining(home.configFile),
  });
});
