import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/catalog/package-root.ts';
import type { StatusJson } from '../../src/core/rest-types.ts';
import { ensureHome, homeAt } from '../../src/manager/home.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { templateCache } from '../support/template-cache.ts';

const program = join(packageRoot(), 'bin', 'kluster');
const hostaddr = '127.0.6.21';

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line on a home. `killWhen`: SIGKILL as soon as stderr matches. */
function kluster(home: string, words: readonly string[], killWhen?: RegExp): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], {
      env: { ...process.env, KLUSTER_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (killWhen?.test(stderr) === true) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

async function succeeds(home: string, ...words: readonly string[]): Promise<string> {
  const outcome = await kluster(home, words);
  if (outcome.exitCode !== 0) {
    throw new Error(`kluster ${words.join(' ')} exited with ${String(outcome.exitCode)}: ${outcome.stderr}`);
  }
  return outcome.stdout;
}

async function status(home: string): Promise<StatusJson> {
  return JSON.parse(await succeeds(home, 'status', '--json')) as StatusJson;
}

/** Processes whose command line or environment names the home. */
async function processesOf(home: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes(home)).map((command) => command.replaceAll('\0', ' '));
}

describe('kluster up and down', () => {
  let first: string;
  let second: string;

  beforeAll(async () => {
    const directory = await scratchDirectory();
    first = join(directory, 'first');
    second = join(directory, 'second');
    // The first home makes its own template of a data directory; the second need not spend that time again.
    await ensureHome(homeAt(second));
    await symlink(await templateCache(), join(homeAt(second).agentDirectory, 'templates'));
  });
  afterAll(async () => {
    await kluster(first, ['down', '--purge']);
    await kluster(second, ['down', '--purge']);
  });

  test('an interrupted up is completed by the next one: one cluster that serves SQL', async () => {
    const killed = await kluster(first, ['up', '--hostaddr', hostaddr], /creating cluster/);
    expect(killed.exitCode).toBeNull();
    const output = await succeeds(first, 'up', '--hostaddr', hostaddr);
    expect(output).toContain(`http://${hostaddr}:35001`);

    const { manager, metadata, machines, clusters } = await status(first);
    expect(manager.leader).toBe(true);
    expect(metadata.nodes).toHaveLength(1);
    expect(machines).toEqual([{ hostaddr, roles: ['storage', 'computer'], status: 'online' }]);
    expect(clusters.map((cluster) => cluster.nick_name)).toEqual(['quickstart']);
    expect(clusters[0]?.shards[0]?.nodes.map((node) => node.role).toSorted()).toEqual([
      'replica',
      'replica',
      'source',
    ]);

    const server = ['--cluster', 'quickstart', '--shard', String(clusters[0]?.shards[0]?.shard_id)];
    await succeeds(
      first,
      'connect',
      ...server,
      '--',
      '-e',
      'CREATE DATABASE kept; CREATE TABLE kept.t (a INT PRIMARY KEY); INSERT INTO kept.t VALUES (42)',
    );
    const comp = ['--cluster', 'quickstart', '--comp', String(clusters[0]?.comps[0]?.comp_id)];
    expect(await succeeds(first, 'connect', ...comp, '--', '-Atc', 'SELECT 6 * 7')).toBe('42\n');
    expect(await succeeds(first, 'url', ...comp)).toMatch(
      /^postgres:\/\/\w+:\w+@127\.0\.6\.21:\d+\/postgres\n$/,
    );
    expect(await succeeds(first, 'url', ...comp, '--application')).toMatch(/^postgres:\/\/abc:\w+@/);
    expect(await succeeds(first, 'url', '--metadata')).toMatch(/^mysql:\/\/\w+:\w+@127\.0\.6\.21:\d+\//);
  });

  test('up again changes nothing', async () => {
    const before = await status(first);
    expect(await succeeds(first, 'up')).toContain('nothing was changed');
    expect(await status(first)).toEqual(before);
  });

  test('a second home on the same address takes other ports', async () => {
    await succeeds(second, 'up', '--hostaddr', hostaddr, '--no-cluster');
    const config = JSON.parse(await readFile(join(second, 'config.json'), 'utf8')) as Record<string, unknown>;
    const other = JSON.parse(await readFile(join(first, 'config.json'), 'utf8')) as Record<string, unknown>;
    for (const key of ['port', 'agentPort', 'metadataPort', 'storagePorts', 'computerPorts']) {
      expect(config[key]).not.toEqual(other[key]);
    }
    expect((await status(second)).clusters).toEqual([]);
    expect((await status(first)).clusters).toHaveLength(1);
  });

  test('down stops everything of its home and nothing else; up brings the data back', async () => {
    await succeeds(first, 'down');
    expect(await processesOf(first)).toEqual([]);
    expect((await status(second)).manager.leader).toBe(true);
    const down = await kluster(first, ['status', '--json']);
    expect(down.exitCode).toBe(3);
    expect(JSON.parse(down.stdout)).toMatchObject({ manager: { pid: null, leader: false } });

    await succeeds(first, 'up');
    const { clusters } = await status(first);
    const server = ['--cluster', 'quickstart', '--shard', String(clusters[0]?.shards[0]?.shard_id)];
    expect(await succeeds(first, 'connect', ...server, '--', '-Ne', 'SELECT a FROM kept.t')).toBe('42\n');
    await succeeds(first, 'connect', ...server, '--', '-e', 'INSERT INTO kept.t VALUES (43)');
  });

  test('purge leaves nothing of its home, and the other home as it was', async () => {
    await succeeds(first, 'down', '--purge');
    expect(existsSync(first)).toBe(false);
    expect(await processesOf(first)).toEqual([]);
    expect((await status(second)).manager.leader).toBe(true);
    await succeeds(second, 'down', '--purge');
    expect(existsSync(second)).toBe(false);
    expect(await processesOf(second)).toEqual([]);
  });
});
