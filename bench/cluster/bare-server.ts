import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgramCommand } from '../../src/engines/engine-installation.ts';
import type { EngineUser, MysqlInstallation, PostgresInstallation } from '../../src/engines/installation.ts';
import { asUser, cleanEnvironment } from '../../src/engines/run-program.ts';

/** A server without Kluster: what a script of a DBA would do, with the settings that Kluster uses. */
export interface BareServer {
  /** Makes its data directory with the engine's own program. */
  initialise(): Promise<void>;
  /** Resolves when it answers a query. */
  start(): Promise<void>;
  /** Ends it without an orderly shutdown. */
  stop(): Promise<void>;
}

export interface BareInput {
  readonly user: EngineUser;
  readonly mysql: MysqlInstallation;
  readonly postgres: PostgresInstallation;
  /** Where the servers listen. */
  readonly hostaddr: string;
}

export const bareDeadlineMs = 120_000;
const pollMs = 20;

export async function makeDirectories(directories: readonly string[], user: EngineUser): Promise<void> {
  for (const directory of new Set(directories)) {
    await mkdir(directory, { recursive: true });
    if (process.getuid?.() === 0) await chown(directory, user.uid, user.gid);
  }
}

/** Starts a server; resolves when the probe succeeds, rejects when the server ends before or is too slow. */
export async function startServer(
  { file, args }: ProgramCommand,
  user: EngineUser,
  probe: () => Promise<unknown>,
): Promise<ChildProcess> {
  const child = spawn(file, [...args], { stdio: 'ignore', env: cleanEnvironment, ...asUser(user) });
  await once(child, 'spawn');
  const deadline = performance.now() + bareDeadlineMs;
  for (;;) {
    try {
      await probe();
      return child;
    } catch (error) {
      if (child.exitCode !== null || performance.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`${file} of the comparison did not start`, { cause: error });
      }
    }
    await sleep(pollMs);
  }
}

export async function endServer(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}
