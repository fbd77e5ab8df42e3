import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockFile } from '../../../src/engines/file-lock.ts';
import {
  findByArgument,
  identityOf,
  isAlive,
  parseProcessStatus,
  sendSignal,
} from '../../../src/engines/process-identity.ts';
import { scratchDirectory } from '../../support/scratch.ts';

test('a command name with spaces and parentheses does not shift the fields', () => {
  const rest = Array.from({ length: 18 }, (_, field) => String(field)).join(' ');
  const status = parseProcessStatus(`42 (a b) c) S 7 ${rest.slice(2)} 4711 0 0`);
  expect(status).toMatchObject({ pid: 42, state: 'S', parent: 7 });
});

test('a process is found by its argument, and is not alive when its pid means another start', async () => {
  const mark = `--mark=${String(process.pid)}-${String(Date.now())}`;
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30000)', '--', mark], {
    stdio: 'ignore',
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const uid = process.getuid?.() ?? 0;
  const [found] = findByArgument(mark, uid);
  expect(found?.pid).toBe(child.pid);
  if (found === undefined) return;
  expect(isAlive(found)).toBe(true);
  expect(findByArgument(mark, uid + 1)).toEqual([]);
  const other = { ...found, startTime: found.startTime + 1 };
  expect(isAlive(other)).toBe(false);
  expect(sendSignal(other, 'SIGKILL')).toBe(false);
  const exit = new Promise((resolve) => child.once('exit', resolve));
  expect(sendSignal(found, 'SIGKILL')).toBe(true);
  await exit;
  expect(isAlive(found)).toBe(false);
});

test('a lock is held by one, released, and taken from an owner that is gone', async () => {
  const path = join(await scratchDirectory(), 'lock');
  const first = await lockFile(path, AbortSignal.timeout(5_000));
  await expect(lockFile(path, AbortSignal.timeout(150))).rejects.toThrow(/aborted/);
  await first.release();
  const own = identityOf(process.pid);
  await writeFile(path, `${String(own?.pid)} ${String((own?.startTime ?? 0) - 1)}\n`);
  const second = await lockFile(path, AbortSignal.timeout(5_000));
  await second.release();
});
