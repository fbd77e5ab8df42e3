import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';

/**
 * A process beyond doubt: pids are used again, but a pid and its start time (clock ticks since boot, field 22 of
 * /proc/<pid>/stat, proc(5)) never are within one boot.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

export interface ProcessStatus extends ProcessIdentity {
  /** R, S, D, T, Z … of proc(5). */
  readonly state: string;
  readonly parent: number;
}

const gone = new Set(['ENOENT', 'ESRCH']);

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // The process ended before or while it was read.
    if (error instanceof Error && 'code' in error && gone.has(String(error.code))) return null;
    throw error;
  }
}

/** Parses /proc/<pid>/stat. The command name (field 2) may hold spaces and parentheses, so fields count from its end. */
export function parseProcessStatus(text: string): ProcessStatus {
  const afterName = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const [state, parent] = afterName;
  const startTime = afterName[19];
  if (state === undefined || parent === undefined || startTime === undefined) {
    throw new Error(`process status cannot be understood: ${text}`);
  }
  return { pid: Number.parseInt(text, 10), state, parent: Number(parent), startTime: Number(startTime) };
}

/** Threads of a killed process end one after another; until the last one has, it holds its files, locks and ports. */
function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${String(pid)}/task`).length > 1;
  } catch (error) {
    if (error instanceof Error && 'code' in error && gone.has(String(error.code))) return false;
    throw error;
  }
}

/**
 * Null when there is no such process, or only what is left of an ended one that its parent has not asked for. The
 * first thread alone may look like that while others are still about to end.
 */
function processStatus(pid: number): ProcessStatus | null {
  const text = readProc(`/proc/${String(pid)}/stat`);
  if (text === null || text === '') return null;
  const status = parseProcessStatus(text);
  const ended = status.state === 'X' || (status.state === 'Z' && !hasOtherThreads(pid));
  return ended ? null : status;
}

export function identityOf(pid: number): ProcessIdentity | null {
  const status = processStatus(pid);
  return status === null ? null : { pid: status.pid, startTime: status.startTime };
}

/** Of a child of this process, which stays known to the kernel until this process has asked for its end. */
export function childIdentity(pid: number): ProcessIdentity {
  const text = readProc(`/proc/${String(pid)}/stat`);
  if (text === null) throw new Error(`process ${String(pid)} is not in /proc: is it mounted?`);
  return { pid, startTime: parseProcessStatus(text).startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return processStatus(identity.pid)?.startTime === identity.startTime;
}

/** The arguments of a process; empty when it is gone. */
function processArguments(pid: number): readonly string[] {
  return (readProc(`/proc/${String(pid)}/cmdline`) ?? '').split('\0');
}

function everyPid(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function belongsTo(pid: number, uid: number): boolean {
  return statSync(`/proc/${String(pid)}`, { throwIfNoEntry: false })?.uid === uid;
}

/** Processes of a user that were started with this argument and whose parent was not. */
export function findByArgument(argument: string, uid: number): readonly ProcessIdentity[] {
  const marked = everyPid().filter((pid) => processArguments(pid).includes(argument) && belongsTo(pid, uid));
  const found = marked.map((pid) => processStatus(pid)).filter((status) => status !== null);
  return found
    .filter((status) => !found.some((other) => other.pid === status.parent))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

function workingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${String(pid)}/cwd`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && gone.has(String(error.code))) return null;
    throw error;
  }
}

/** Living processes of a user that work in this directory. */
export function findByDirectory(directory: string, uid: number): readonly ProcessIdentity[] {
  const there = everyPid().filter((pid) => belongsTo(pid, uid) && workingDirectory(pid) === directory);
  return there.map((pid) => identityOf(pid)).filter((identity) => identity !== null);
}

export interface ProcessInDirectory extends ProcessIdentity {
  /** Its working directory, or the argument that lies below the directory. */
  readonly path: string;
}

/** Living processes of a user that work below this directory or have a path below it among their arguments. */
export function findBelow(directory: string, uid: number): readonly ProcessInDirectory[] {
  const inside = (text: string): string | undefined => {
    const start = text.indexOf(`${directory}/`);
    return start === -1 ? undefined : text.slice(start);
  };
  return everyPid().flatMap((pid) => {
    if (!belongsTo(pid, uid)) return [];
    const path = [workingDirectory(pid) ?? '', ...processArguments(pid)]
      .map(inside)
      .find((found) => found !== undefined);
    const identity = path === undefined ? null : identityOf(pid);
    return path === undefined || identity === null ? [] : [{ ...identity, path }];
  });
}

/** The process and everything it started, directly or not, as far as it was not taken over by another parent. */
export function processTree(root: ProcessIdentity): readonly ProcessIdentity[] {
  if (!isAlive(root)) return [];
  const all = everyPid()
    .map((pid) => processStatus(pid))
    .filter((status) => status !== null);
  const tree: ProcessIdentity[] = [root];
  for (const member of tree) {
    const children = all.filter(
      (status) => status.parent === member.pid && status.startTime >= member.startTime,
    );
    tree.push(...children.map(({ pid, startTime }) => ({ pid, startTime })));
  }
  return tree;
}

/** Sends a signal if the process is still the same one; false when it is gone. */
export function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
