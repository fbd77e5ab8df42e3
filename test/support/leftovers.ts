import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { markerVariable, type TestRun } from './test-run.ts';

const execute = promisify(execFile);

/** A process that tests started and that still runs. */
export interface LeftProcess {
  readonly pid: number;
  /** Ticks since boot (field 22 of /proc/<pid>/stat): with the pid it names one process, also when pids are used again. */
  readonly startTime: string;
  readonly command: string;
}

const endDeadlineMs = 5000;
const pollMs = 50;

/** Processes of the run that still run after `graceMs`, which those that are about to end may use. */
export async function leftProcesses(run: TestRun, graceMs: number): Promise<LeftProcess[]> {
  const deadline = performance.now() + graceMs;
  let left = await processesOf(run);
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(pollMs);
    left = await processesOf(run);
  }
  return left;
}

interface ProcessEntry extends LeftProcess {
  readonly parent: number;
  readonly isOfRun: boolean;
}

/** The processes of the run and what these have started: children of PostgreSQL, for one, show none of the marks. */
async function processesOf(run: TestRun): Promise<LeftProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const others = pids.filter((pid) => pid !== process.pid);
  const entries = await Promise.all(others.map((pid) => processEntry(run, pid)));
  const byPid = new Map(entries.filter((entry) => entry !== undefined).map((entry) => [entry.pid, entry]));
  const belongs = (entry: ProcessEntry | undefined): boolean =>
    entry !== undefined && (entry.isOfRun || belongs(byPid.get(entry.parent)));
  return [...byPid.values()].filter(belongs);
}

/** Undefined when the process has ended; a zombie has an empty command line. */
async function processEntry(run: TestRun, pid: number): Promise<ProcessEntry | undefined> {
  const [environment, command, directory, stat] = await Promise.all([
    readProcess(pid, 'environ'),
    readProcess(pid, 'cmdline'),
    readlink(`/proc/${pid}/cwd`).catch(() => ''),
    statOf(pid),
  ]);
  if (stat === undefined || command === '') return undefined;
  const isMarked = environment.split('\0').includes(`${markerVariable}=${run.id}`);
  // Engines may be started with an empty environment, but they are told where their data is, or work there.
  const isInDirectory = command.includes(run.directory) || directory.startsWith(run.directory);
  return { pid, ...stat, command: command.replaceAll('\0', ' ').trim(), isOfRun: isMarked || isInDirectory };
}

/** Empty when the process has ended, is a zombie, or belongs to another user. */
async function readProcess(pid: number, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

async function statOf(pid: number): Promise<{ parent: number; startTime: string } | undefined> {
  const stat = await readProcess(pid, 'stat');
  // The name (field 2) is in parentheses and may contain blanks; what follows begins with field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, startTime] = [fields[1], fields[19]];
  return parent === undefined || startTime === undefined ? undefined : { parent: Number(parent), startTime };
}

/** Kills a process, unless its pid belongs to another one by now, and waits until it is gone. */
export async function endProcess(left: LeftProcess): Promise<void> {
  const deadline = performance.now() + endDeadlineMs;
  while ((await isRunning(left)) && performance.now() < deadline) {
    try {
      process.kill(left.pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
    await sleep(pollMs);
  }
}

async function isRunning(left: LeftProcess): Promise<boolean> {
  const stat = await statOf(left.pid);
  return stat?.startTime === left.startTime && (await readProcess(left.pid, 'cmdline')) !== '';
}

/** What lies in the run's directory. */
export async function leftFiles(run: TestRun): Promise<string[]> {
  const names = await readdir(run.directory).catch(() => []);
  return names.map((name) => join(run.directory, name));
}

export async function removeRunDirectory(run: TestRun): Promise<void> {
  await unmountBelow(run.directory);
  await rm(run.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** The disks of machines that a killed run could not take away; innermost first. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  const below = mounts
    .filter((path) => path.startsWith(`${directory}/`))
    .toSorted()
    .toReversed();
  for (const path of below) {
    // A frozen one holds up everybody who uses it; the others refuse.
    await execute('fsfreeze', ['--unfreeze', path]).catch(() => undefined);
    await execute('umount', ['-l', path]);
  }
}
