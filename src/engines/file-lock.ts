import { open, readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts';

/** A lock between processes of one machine; whoever ends without releasing it loses it. */
export interface FileLock {
  release(): Promise<void>;
}

const pollMs = 50;

function ownIdentity(): ProcessIdentity {
  const identity = identityOf(process.pid);
  if (identity === null) throw new Error('this process is not in /proc: is it mounted?');
  return identity;
}

function parseOwner(text: string): ProcessIdentity | null {
  const match = /^(\d+) (\d+)\n$/.exec(text);
  return match === null ? null : { pid: Number(match[1]), startTime: Number(match[2]) };
}

async function readOwner(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
}

/** Takes the lock if it is free; otherwise tells who holds it. */
async function tryLock(path: string): Promise<FileLock | ProcessIdentity | null> {
  const own = ownIdentity();
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(`${String(own.pid)} ${String(own.startTime)}\n`);
    await file.close();
    return { release: () => rm(path, { force: true }) };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const text = await readOwner(path);
  return text === null ? null : parseOwner(text);
}

/** Puts away the lock of an owner that is gone. Renaming first: only one of several that notice it succeeds. */
async function breakLock(path: string, deadOwner: ProcessIdentity | null): Promise<void> {
  const aside = `${path}.broken-${String(process.pid)}`;
  const text = await readOwner(path);
  const owner = text === null ? null : parseOwner(text);
  if (owner?.pid !== deadOwner?.pid || owner?.startTime !== deadOwner?.startTime) return;
  await rename(path, aside).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
  await rm(aside, { force: true });
}

/**
 * Waits for the lock until the signal is aborted. A lock file that names no owner is given half a second: its maker
 * may be about to write it.
 */
export async function lockFile(path: string, signal: AbortSignal): Promise<FileLock> {
  let nameless = 0;
  for (;;) {
    const answer = await tryLock(path);
    if (answer !== null && 'release' in answer) return answer;
    nameless = answer === null ? nameless + 1 : 0;
    if (answer === null ? nameless * pollMs > 500 : !isAlive(answer)) await breakLock(path, answer);
    await sleep(pollMs, undefined, { signal });
  }
}
