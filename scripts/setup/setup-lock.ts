import { open, type FileHandle } from 'node:fs/promises';
import { SetupError, progress } from './report.ts';
import { runProgram } from './run-program.ts';

const waitSeconds = 1200;

/**
 * Holds the lock file while `work` runs, so that two setups do not install the same thing. The lock is the kernel's
 * (flock(2)) and belongs to the open file: it is free again when this process ends, however it ends.
 */
export async function whileLocked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const handle = await open(file, 'a', 0o644);
  try {
    if (!(await lock(handle, 0))) {
      progress(`waiting for another setup that holds ${file}`);
      if (!(await lock(handle, waitSeconds))) {
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
async function lock(handle: FileHandle, seconds: number): Promise<boolean> {
  const { status, stderr } = await runProgram(['flock', '--exclusive', '--timeout', String(seconds), '3'], {
    files: [handle.fd],
    deadlineMs: (seconds + 10) * 1000,
  });
  if (status === 0 || status === 1) return status === 0;
  throw new SetupError(
    `flock failed with status ${status}: ${stderr.trim()}`,
    'Run setup on a local file system.',
  );
}
