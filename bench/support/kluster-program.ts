import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/catalog/package-root.ts';

const program = join(packageRoot(), 'bin', 'kluster');
const run = promisify(execFile);
const startDeadlineMs = 120_000;
const commandDeadlineMs = 180_000;
const pollMs = 50;

/** Runs a command of `kluster` to its end. */
export async function kluster(...args: readonly string[]): Promise<void> {
  await run(process.execPath, [program, ...args], { timeout: commandDeadlineMs });
}

/** Starts `kluster manager` or `kluster agent` as a process of its own; resolves when `healthUrl` answers. */
export async function startKluster(
  args: readonly string[],
  at: {
    readonly healthUrl: string;
    readonly logFile: string;
    /** The network namespace that it runs in. */
    readonly namespace?: string | undefined;
  },
): Promise<void> {
  // Otherwise the answer of another run's server would pass for this one's.
  if (await answers(at.healthUrl)) throw new Error(`${at.healthUrl} is in use by another installation`);
  const child = await launch(args, at.logFile, at.namespace);
  const deadline = performance.now() + startDeadlineMs;
  while (!(await answers(at.healthUrl))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`kluster ${args.join(' ')} did not start:\n${await readFile(at.logFile, 'utf8')}`);
    }
    await sleep(pollMs);
  }
}

async function launch(
  args: readonly string[],
  logFile: string,
  namespace: string | undefined,
): Promise<ChildProcess> {
  const log = await open(logFile, 'a');
  try {
    const command = [process.execPath, program, ...args];
    const inside = namespace === undefined ? [] : ['netns', 'exec', namespace, ...command];
    const [file, all] = namespace === undefined ? [process.execPath, command.slice(1)] : ['ip', inside];
    const child = spawn(file, all, {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    await once(child, 'spawn');
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
