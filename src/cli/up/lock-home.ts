import { join } from 'node:path';
import { lockFile, type FileLock } from '../../engines/file-lock.ts';
import type { Home } from '../../manager/home.ts';

/** One `kluster up` or `kluster down` works on a home at a time; the next one waits for it. */
export function lockHome(home: Home, signal: AbortSignal): Promise<FileLock> {
  return lockFile(join(home.runDirectory, 'command.lock'), signal);
}
