import { open, type FileHandle } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SetupError, progress } from './report.ts';

const waitSeconds = 1200;

/**
 * Holds the lock file while `work` runs, so that two setups do not install the same thing. The lock is the kernel's
 * (flock(2)) and belongs to the open file: it is free again when this process ends, however it ends.
 */
export async function whileLocked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const handle = await open(file, 'a', 0o644);
  try {
    if ((await flock(handle, 0)) !== 0) {
      progress(`waiting for another setup that holds ${file}`);
      if ((await flock(handle, waitSeconds)) !== 0) {
        throw new SetupError(
          `another setup holds ${file} for ${waitSeconds} s`,
          'End that setup, then run it again.',
        );
      }
    }
    return await work();
  } finally {
    await handle.close();
  }
}

/** flock(1) locks the open file that it inherits; the lock stays when flock itself has ended. */
async function flock(handle: FileHandle, seconds: number): Promise<number | null> {
  const child = spawn('flock', ['--exclusive', '--timeout', String(seconds), '3'], {
    stdio: ['ignore', 'ignore', 'inherit', handle.fd],
  });
  await once(child, 'close');
  return child.exitCode;
}
