import { join } from 'node:path';
import { CommanderError } from 'commander';
import { packageRoot } from '../catalog/package-root.ts';
import { ManagerClient } from '../client/manager.ts';
import { errorCatalogue } from '../core/errors/catalogue.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { CliContext } from './context.ts';
import { CommandExit, exitCodeOf } from './exit.ts';
import { jobCommands } from './job-commands.ts';
import { createProgram } from './program.ts';
import { startAgentServer, startManagerServer } from './servers.ts';
import { printable } from './table.ts';
import { processTerminal, remark, type Terminal } from './terminal.ts';

/** Says what went wrong, and what to do about it. */
function report(terminal: Terminal, thrown: unknown): void {
  // Commander has printed its own errors; a CommandExit comes after the command has said everything.
  if (thrown instanceof CommanderError || thrown instanceof CommandExit) return;
  const lines = errorText(thrown).split('\n').map(printable);
  remark(terminal, `error: ${lines.join('\n')}`);
  if (thrown instanceof KlusterError) remark(terminal, `hint: ${errorCatalogue[thrown.kind].hint}`);
}

/** Runs one command line; resolves to the exit code. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const interrupt = new AbortController();
  const onInterrupt = (): void => {
    interrupt.abort(new KlusterError('interrupted', 'interrupted'));
  };
  process.once('SIGINT', onInterrupt);
  const context: CliContext = {
    terminal,
    environment: process.env,
    interrupted: interrupt.signal,
    jobs: jobCommands,
    program: join(packageRoot(), 'bin', 'kluster'),
    connect: ({ url, token }) => new ManagerClient({ url, ...(token === undefined ? {} : { token }) }),
    startManager: startManagerServer,
    startAgent: startAgentServer,
  };
  try {
    await createProgram(context).parseAsync([...words], { from: 'user' });
    return 0;
  } catch (error) {
    // Timers and streams that are given up say only that they were; the signal says why.
    const aborted = interrupt.signal.aborted && error instanceof Error && error.name === 'AbortError';
    const cause: unknown = aborted ? interrupt.signal.reason : error;
    report(terminal, cause);
    return exitCodeOf(cause);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** A reader that has seen enough, such as `head`, is no error. */
function endQuietlyWithoutReader(terminal: Terminal): void {
  terminal.stdout.on('error', (error) => {
    if (!('code' in error && error.code === 'EPIPE')) throw error;
    process.exit(0);
  });
}

/** `bin/kluster`. */
export async function main(): Promise<void> {
  endQuietlyWithoutReader(processTerminal);
  process.exitCode = await run(process.argv.slice(2), processTerminal);
}
