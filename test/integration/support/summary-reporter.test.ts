import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs vitest on fixtures, whose failures are wanted. */
async function vitest(...fixtures: readonly string[]): Promise<Ended> {
  const config = 'test/support/fixtures/summary/vitest.config.ts';
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', config, ...fixtures];
  const env = { ...process.env, NO_COLOR: '1' };
  const ended = run(process.execPath, args, { env, timeout: 60_000 }).then(
    ({ stdout, stderr }) => ({ status: 0, stdout, stderr }),
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && 'stdout' in error && 'stderr' in error) {
        return { status: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) };
      }
      throw error;
    },
  );
  return ended;
}

/** A zombie, which waits for a parent that does not ask, has ended too; its command line is empty. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
}

const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

test('a good run ends with the counts and status 0', async () => {
  const { status, stdout } = await vitest('clean');
  expect({ status, last: lastLine(stdout) }).toEqual({ status: 0, last: '1 passed, 0 failed, 1 skipped' });
});

test('failed tests, and files that cannot be loaded, are counted', async () => {
  const { status, stdout } = await vitest('clean', 'failing', 'broken');
  expect({ status, last: lastLine(stdout) }).toEqual({ status: 1, last: '1 passed, 2 failed, 1 skipped' });
});

test('what tests leave behind fails the run, is named, and is removed', async () => {
  const { status, stdout, stderr } = await vitest('leaving');
  expect({ status, last: lastLine(stdout) }).toEqual({ status: 1, last: '3 passed, 4 failed' });
  const directory = /tests left (\S*\/forgotten-\w+) behind/.exec(stderr)?.[1] ?? '';
  expect(directory).not.toBe('');
  expect(existsSync(directory)).toBe(false);
  for (const command of ['sleep 61.5', 'sh -c sleep 62.5', 'sleep 62.5']) {
    const pid = new RegExp(`tests left process (\\d+) behind: ${command}`).exec(stderr)?.[1];
    expect(pid, command).toBeDefined();
    expect(isRunning(Number(pid)), command).toBe(false);
  }
});

test('what a killed run left behind is removed by the next one', async () => {
  const { stdout } = await run(process.execPath, ['-p', 'process.pid']);
  const pid = Number(stdout);
  const abandoned = join(tmpdir(), `kluster-test-${pid}.abc123`);
  await mkdir(abandoned);
  const sleeper = spawn('sleep', ['63.5'], { cwd: abandoned, stdio: 'ignore' });
  const ended = once(sleeper, 'exit');
  const { status } = await vitest('clean');
  expect({ status, isThere: existsSync(abandoned) }).toEqual({ status: 0, isThere: false });
  expect(await ended).toEqual([null, 'SIGKILL']);
});
