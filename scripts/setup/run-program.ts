import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { errorText } from '../../src/core/errors/kluster-error.ts';
import { SetupError } from './report.ts';

interface ProgramResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly deadlineMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Open files that the program inherits, as file descriptors 3 and up. */
  readonly files?: readonly number[];
}

const defaultDeadlineMs = 60_000;
const shownOutputLines = 8;

const running = new Set<ChildProcess>();
let interrupted = false;

/** Ends the programs that run at this moment and lets no other start; what waits for them fails and cleans up. */
export function interruptPrograms(): void {
  interrupted = true;
  for (const child of running) child.kill('SIGTERM');
}

/**
 * Runs a program to its end and collects what it prints.
 * @throws SetupError when it cannot be started, does not end before the deadline, or setup is interrupted.
 */
export async function runProgram(
  command: readonly [file: string, ...args: string[]],
  options: RunOptions = {},
): Promise<ProgramResult> {
  if (interrupted) throw new SetupError('setup was interrupted', 'Run it again.');
  const [file, ...args] = command;
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...(options.files ?? [])],
    env: { ...process.env, LC_ALL: 'C', ...options.environment },
    timeout: deadlineMs,
  });
  running.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  try {
    await once(child, 'close');
  } catch (error) {
    throw new SetupError(
      `${file} cannot be started: ${errorText(error)}`,
      `Install ${file} on this machine.`,
      error,
    );
  } finally {
    running.delete(child);
  }
  if (child.signalCode !== null) {
    const what = `${file} was ended by ${child.signalCode} (its deadline is ${deadlineMs / 1000} s)`;
    throw new SetupError(what, 'Run setup again.');
  }
  return { status: child.exitCode, ...output };
}

/** As runProgram, and the program has to succeed. @throws SetupError with what it printed last, and `advice`. */
export async function runOrFail(
  command: readonly [file: string, ...args: string[]],
  advice: string,
  options: RunOptions = {},
): Promise<string> {
  const result = await runProgram(command, options);
  if (result.status !== 0) {
    const reason = lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr);
    throw new SetupError(`${command[0]} failed with status ${result.status}: ${reason}`, advice);
  }
  return result.stdout;
}

/** apt repeats the addresses of mirrors in its messages, and such an address may carry a password. */
function lastLines(text: string): string {
  const lines = text.trim().split('\n').slice(-shownOutputLines);
  return lines.join(' | ').replaceAll(/:\/\/[^/@\s]+@/g, '://');
}
