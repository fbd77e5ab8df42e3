import { Argument, type Command } from 'commander';
import { completionScript, shells, type Shell } from '../completion.ts';
import type { CliContext } from '../context.ts';

/** `kluster completion bash|zsh|fish`. */
export function addCompletionCommand(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('Print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell that reads the script').choices(shells))
    .action((shell: Shell) => {
      context.terminal.stdout.write(completionScript(program, shell));
    });
}
