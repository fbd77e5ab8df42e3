import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { identityOf, isAlive, sendSignal, type ProcessIdentity } from '../engines/process-identity.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';

/** A record of the process that serves a home, and the ways to find and end it. */
const processSchema = Type.Object(
  {
    pid: Type.Integer({ minimum: 1 }),
    startTime: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);

/** The process that a file names, when it still runs. */
export async function readLiveProcess(file: string): Promise<ProcessIdentity | undefined> {
  const identity = await readJsonFile(file, processSchema);
  return identity !== undefined && isAlive(identity) ? identity : undefined;
}

/**
 * Records this process as the one that serves a home. Throws `already_running` when another one still does. The
 * returned function removes the record, unless another process has replaced it meanwhile.
 */
export async function recordThisProcess(file: string, role: string): Promise<() => Promise<void>> {
  const other = await readLiveProcess(file);
  if (other !== undefined && other.pid !== process.pid) {
    throw new KlusterError(
      'already_running',
      `the ${role} of this home already runs as process ${String(other.pid)} (${file})`,
    );
  }
  const own = identityOf(process.pid);
  if (own === null) throw new Error('/proc does not show this process: is it mounted?');
  await writeJsonFile<typeof processSchema>(file, own);
  return async () => {
    const current = await readJsonFile(file, processSchema);
    if (current?.pid === process.pid) await rm(file, { force: true });
  };
}

const pollMs = 25;

/**
 * Asks a process to end (SIGTERM) and waits. When it has not ended after `graceMs` it is killed. Resolves to whether
 * it ended by itself. A process that has taken over the same pid is never touched.
 */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<boolean> {
  if (!sendSignal(identity, 'SIGTERM')) return true;
  const deadline = performance.now() + graceMs;
  while (performance.now() < deadline) {
    if (!isAlive(identity)) return true;
    await sleep(pollMs);
  }
  return !sendSignal(identity, 'SIGKILL');
}
