import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../../../src/cli/main.ts';
import { lockHome } from '../../../src/cli/up/lock-home.ts';
import { ensureHome, homeAt } from '../../../src/manager/home.ts';

test('Ctrl-C while a command waits ends it with 130 and the word interrupted', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kluster-interrupt-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const home = homeAt(join(directory, 'home'));
  await ensureHome(home);
  const lock = await lockHome(home, new AbortController().signal);
  let said = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString();
      done();
    },
  });
  const terminal = { stdout: stream, stderr: stream, interactive: false, columns: () => 80 };
  const ended = run(['--home', home.directory, 'up'], terminal);
  await pause(100);
  process.emit('SIGINT');
  expect(await ended).toBe(130);
  expect(said).toMatch(/^error: interrupted\n/);
  await lock.release();
});
