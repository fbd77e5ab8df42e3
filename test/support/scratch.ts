import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestRunner, afterAll, onTestFinished } from 'vitest';
import { engineUser } from '../../src/engines/installation.ts';

const ofThisFile: string[] = [];

// Registered when a test file imports this module, hence before its own hooks: it runs after them.
afterAll(async () => {
  await Promise.all(ofThisFile.splice(0).map(remove));
});

/**
 * A new empty directory that engines can use: owned by the user that they run as, and traversable for everyone. Its path
 * is short enough for Unix sockets in it. It is removed when the test ends that asked for it; when a beforeAll hook
 * asked, after the last test of the file. Whoever starts a process in it ends that process before.
 */
export async function scratchDirectory(): Promise<string> {
  const { uid, gid } = await engineUser();
  const directory = await mkdtemp(join(tmpdir(), 's-'));
  if (TestRunner.getCurrentTest() === undefined) ofThisFile.push(directory);
  else onTestFinished(() => remove(directory));
  await chmod(directory, 0o755);
  await chown(directory, uid, gid);
  return directory;
}

async function remove(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
