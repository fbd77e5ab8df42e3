import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  checkTraversable,
  defaultHomeDirectory,
  ensureHome,
  homeAt,
  type Home,
} from '../../../src/manager/home.ts';
import {
  managerUrl,
  readHomeConfig,
  writeHomeConfig,
  type HomeConfig,
} from '../../../src/manager/home-config.ts';
import { endProcess, readLiveProcess, recordThisProcess } from '../../../src/manager/process-file.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../../src/engines/process-identity.ts';
import { catalogKey, installationSecret, readMetadataCredentials } from '../../../src/manager/secrets.ts';

let directory: string;
let home: Home;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kluster-home-'));
  home = homeAt(join(directory, 'home'));
  await ensureHome(home);
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const config: HomeConfig = {
  bind: '127.0.6.1',
  port: 26_001,
  agentPort: 26_002,
  hostaddr: '127.0.6.1',
  tokens: [{ name: 'operator', token: 'sixteen characters at least' }],
};

describe('the directory', () => {
  test('KLUSTER_HOME names it; root and others have a default', () => {
    expect(defaultHomeDirectory({ KLUSTER_HOME: '/srv/one' }, 0)).toBe('/srv/one');
    expect(defaultHomeDirectory({ KLUSTER_HOME: '' }, 0)).toBe('/var/lib/kluster');
    expect(defaultHomeDirectory({}, 1000)).toMatch(/\/\.kluster$/);
  });

  test('secrets are for the owner only, data directories can be passed through', async () => {
    await chmod(home.secretsDirectory, 0o755);
    await ensureHome(home);
    expect((await stat(home.secretsDirectory)).mode & 0o777).toBe(0o700);
    expect((await stat(home.dataDirectory)).mode & 0o777).toBe(0o755);
  });

  test.each(['/proc/kluster', '/proc/kluster/home', '/dev/null/home'])(
    'a home that cannot be made (%s) is named with the reason',
    async (path) => {
      await expect(ensureHome(homeAt(path))).rejects.toMatchObject({
        kind: 'configuration',
        message: expect.stringMatching(new RegExp(`the directory ${path}, which cannot be made: E[A-Z]+`)),
      });
    },
  );

  test('a parent that the engine user cannot pass through is named', async () => {
    const engineUser = { name: 'kluster', uid: 54_321, gid: 54_321 };
    await chmod(directory, 0o700);
    await expect(checkTraversable(home.dataDirectory, engineUser)).rejects.toMatchObject({
      kind: 'configuration',
      message: expect.stringContaining(
        `kluster, who runs the database servers, cannot pass through ${directory}`,
      ),
    });
    await chmod(directory, 0o711);
    await checkTraversable(home.dataDirectory, engineUser);
  });
});

describe('config.json', () => {
  test('what is written is read again, readable by the owner only', async () => {
    expect(await readHomeConfig(home)).toBeUndefined();
    await writeHomeConfig(home, config);
    expect(await readHomeConfig(home)).toEqual(config);
    expect((await stat(home.configFile)).mode & 0o777).toBe(0o600);
  });

  test('an error names the file, each field and its rule', async () => {
    const broken = { ...config, port: '35001', tokens: [{ name: 'x' }], colour: 'red' };
    await writeFile(home.configFile, JSON.stringify(broken));
    const error: unknown = await readHomeConfig(home).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'configuration' });
    const text = String(error);
    expect(text).toContain(home.configFile);
    expect(text).toContain('port must be integer');
    expect(text).toContain('tokens[0]');
    expect(text).toContain('unknown keys: colour');
  });

  test('text that is not JSON is an error, not an empty configuration', async () => {
    await writeFile(home.configFile, '{ "bind": ');
    await expect(readHomeConfig(home)).rejects.toMatchObject({
      kind: 'configuration',
      message: `${home.configFile} is not JSON`,
    });
  });

  test('the URL of the manager is one that this machine reaches', () => {
    expect(managerUrl(config)).toBe('http://127.0.6.1:26001');
    expect(managerUrl({ ...config, bind: '0.0.0.0', hostaddr: '10.0.0.7' })).toBe('http://10.0.0.7:26001');
    expect(managerUrl({ ...config, bind: '::1' })).toBe('http://[::1]:26001');
  });
});

describe('secrets', () => {
  test('are made once, differ from each other, and are for the owner only', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => installationSecret(home)));
    expect(new Set(all).size).toBe(1);
    expect(await installationSecret(home)).toBe(all[0]);
    expect(await catalogKey(home)).not.toBe(all[0]);
    expect((await stat(home.secretFile)).mode & 0o777).toBe(0o600);
  });

  test('a truncated secret is refused instead of replaced', async () => {
    await writeFile(home.secretFile, 'abc\n');
    await expect(installationSecret(home)).rejects.toMatchObject({ kind: 'configuration' });
    expect(await readFile(home.secretFile, 'utf8')).toBe('abc\n');
  });

  test('there are no metadata credentials before there is a metadata server', async () => {
    expect(await readMetadataCredentials(home)).toBeUndefined();
  });
});

describe('process records', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  function startChild(script: string): Promise<ProcessIdentity> {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.stdout.once('data', () => {
        const identity = identityOf(child.pid ?? 0);
        if (identity === null) reject(new Error('the child is gone'));
        else resolve(identity);
      });
    });
  }

  test('a second server of the same home is refused while the first lives', async () => {
    const other = await startChild('console.log("up"); setInterval(() => {}, 1000)');
    await writeFile(home.managerPidFile, JSON.stringify(other));
    await expect(recordThisProcess(home.managerPidFile, 'manager')).rejects.toMatchObject({
      kind: 'already_running',
      message: expect.stringContaining(String(other.pid)),
    });
    expect(await endProcess(other, 5000)).toBe(true);
    const release = await recordThisProcess(home.managerPidFile, 'manager');
    expect((await readLiveProcess(home.managerPidFile))?.pid).toBe(process.pid);
    await release();
    expect(await readLiveProcess(home.managerPidFile)).toBeUndefined();
  });

  test('another process with the same pid is neither taken for it nor ended', async () => {
    const other = await startChild('console.log("up"); setInterval(() => {}, 1000)');
    const older = { ...other, startTime: other.startTime - 1 };
    expect(await endProcess(older, 1000)).toBe(true);
    expect(isAlive(other)).toBe(true);
  });

  test('one that ignores SIGTERM is killed after the time it was given', async () => {
    const identity = await startChild(
      'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)',
    );
    expect(await endProcess(identity, 100)).toBe(false);
    await expect.poll(() => isAlive(identity)).toBe(false);
  });

  test('writing over a directory fails and leaves no temporary file', async () => {
    await mkdir(home.configFile);
    await expect(writeHomeConfig(home, config)).rejects.toThrow();
    expect((await readdir(home.directory)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
