import type { Command } from 'commander';
import { homeOf, type CliContext, type GlobalOptions } from '../context.ts';
import { serveUntilSignal } from '../serve.ts';

/** `kluster manager`: the manager in the foreground, as a service supervisor wants it. */
export function addManagerCommand(program: Command, context: CliContext): void {
  program
    .command('manager')
    .description('Run the manager of this home in the foreground')
    .action(async (_options: unknown, command: Command) => {
      const home = homeOf(context, command.optsWithGlobals<GlobalOptions>());
      await serveUntilSignal(() => context.startManager({ home: home.directory }));
    });
}
