import { readFile, rm } from 'node:fs/promises';
import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { isMissing, readJsonFile, writeJsonFile } from './json-file.ts';

/**
 * A pid alone does not name a process: numbers are used again. Together with the start time that the kernel keeps
 * it does, until the machine is booted again.
 */
const processSchema = Type.Object(
  {
    pid: Type.Integer({ minimum: 1 }),
    /** Clock ticks since boot: field 22 of /proc/<pid>/stat, see proc_pid_stat(5). */
    startTime: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);

export type ProcessIdentity = Type.Static<typeof processSchema>;

/** Field 22 of /proc/<pid>/stat; `undefined` when there is no such process, or only its zombie. */
export async function processStartTime(pid: number): Promise<number | undefined> {
  let line: string;
  try {
    line = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
  // The second field, the name in parentheses, may hold blanks and parentheses itself.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = Number(fields[19]);
  return state === 'Z' || state === 'X' ? undefined : startTime;
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await processStartTime(identity.pid)) === identity.startTime;
}

/** The process that a file names, when it still runs. */
export async function readLiveProcess(file: string): Promise<ProcessIdentity | undefined> {
  const identity = await readJsonFile(file, processSchema);
  return identity !== undefined && (await isAlive(identity)) ? identity : undefined;
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
  const startTime = await processStartTime(process.pid);
  if (startTime === undefined) throw new Error('/proc does not show this process');
  await writeJsonFile<typeof processSchema>(file, { pid: process.pid, startTime }, 0o644);
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
  if (!(await isAlive(identity))) return true;
  signal(identity.pid, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (Date.now() < deadline) {
    if (!(await isAlive(identity))) return true;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  if (await isAlive(identity)) signal(identity.pid, 'SIGKILL');
  return false;
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended between the look and the signal.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
