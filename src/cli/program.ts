import { Command } from 'commander';
import { addAgentCommand } from './commands/agent.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addConnectCommand } from './commands/connect.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDownCommand } from './commands/down.ts';
import { addJobCommands } from './commands/job.ts';
import { addJobTypeCommands } from './commands/job-types.ts';
import { addManagerCommand } from './commands/manager.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTopologyCommands } from './commands/topology.ts';
import { addUpCommand } from './commands/up.ts';
import { addUrlCommand } from './commands/url.ts';
import type { CliContext } from './context.ts';
import { exitCodeHelp } from './exit.ts';
import { packageVersion } from './version.ts';

/** The command `kluster` with everything it understands. */
export function createProgram(context: CliContext): Command {
  const program = new Command('kluster')
    .description('Turns Linux machines into distributed SQL clusters and keeps them running.')
    .version(packageVersion())
    .option('--home <directory>', 'the installation (default: KLUSTER_HOME)')
    .option('--url <url>', 'the manager (default: KLUSTER_URL, else that of the home)')
    .addHelpText(
      'after',
      `
Environment:
  KLUSTER_HOME   directory of the installation; default /var/lib/kluster as root, else ~/.kluster
  KLUSTER_URL    URL of the manager
  KLUSTER_TOKEN  token for the manager
${exitCodeHelp}`,
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.terminal.stdout.write(text),
      writeErr: (text) => context.terminal.stderr.write(text),
    })
    .showHelpAfterError('(run with --help for usage)');

  program.commandsGroup('Start and stop:');
  addUpCommand(program, context);
  addDownCommand(program, context);
  addManagerCommand(program, context);
  addAgentCommand(program, context);
  program.commandsGroup('Look and connect:');
  addStatusCommand(program, context);
  addDoctorCommand(program, context);
  addTopologyCommands(program, context);
  addUrlCommand(program, context);
  addConnectCommand(program, context);
  addCompletionCommand(program, context);
  program.commandsGroup('Jobs:');
  addJobCommands(program, context);
  program.commandsGroup('Job types:');
  addJobTypeCommands(program, context);
  return program;
}
