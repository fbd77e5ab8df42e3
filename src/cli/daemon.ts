import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';

export interface DaemonCommand {
  /** Of the program `kluster`. */
  readonly arguments: readonly string[];
  /** The file `bin/kluster`. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly logFile: string;
}

export interface Daemon {
  readonly pid: number;
  /** Tells how it ended, once it has; never rejects. */
  readonly ended: Promise<string>;
}

/** Starts a server in a session of its own, so that it outlives the shell; what it prints goes to its log. */
export async function startDaemon(command: DaemonCommand): Promise<Daemon> {
  const log = await open(command.logFile, 'a', 0o640);
  try {
    const child = spawn(process.execPath, [command.program, ...command.arguments], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log.fd, log.fd],
      env: command.environment,
    });
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => {
        resolve(signal === null ? `exit code ${String(code)}` : `signal ${signal}`);
      });
    });
    await once(child, 'spawn');
    child.unref();
    if (child.pid === undefined) throw new Error('a process was started without a pid');
    return { pid: child.pid, ended };
  } finally {
    await log.close();
  }
}

/** The last lines of a log, for an error message. */
export async function lastLines(file: string, count: number): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8');
  return text.trimEnd().split('\n').slice(-count);
}
