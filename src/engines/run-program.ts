import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { EngineUser } from './installation.ts';

const run = promisify(execFile);

interface ProgramRun {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly user: EngineUser;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  /** What the program reads from its standard input. Default: nothing. */
  readonly input?: string;
}

const shownOutput = 2_000;

/** The least that programs need; nothing of the agent's own environment reaches an engine. */
export const cleanEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
};

/** Only root may choose the user of a process; everyone else is the engine user anyway. */
export function asUser(user: EngineUser): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: user.uid, gid: user.gid } : {};
}

/**
 * Runs a program of an engine to its end. @throws KlusterError instance_start_failed with the end of its output.
 */
export async function runProgram(what: string, program: ProgramRun): Promise<void> {
  try {
    const running = run(program.file, [...program.args], {
      cwd: program.cwd,
      env: { ...cleanEnvironment, ...program.env },
      signal: program.signal,
      timeout: program.deadlineMs,
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
      ...asUser(program.user),
    });
    // A program that ends before it has read everything tells why by itself.
    running.child.stdin?.on('error', () => undefined).end(program.input ?? '');
    await running;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const output = 'stderr' in error ? String(error.stderr).trim().slice(-shownOutput) : error.message;
    throw new KlusterError('instance_start_failed', `${what} failed: ${output}`, { cause: error });
  }
}
