import type { Command } from 'commander';
import { homeOf, type CliContext, type GlobalOptions } from '../context.ts';
import { connectionUrl } from '../connection-url.ts';
import { serverAccess, type ServerChoice } from '../server-access.ts';
import { printLine } from '../terminal.ts';

/** The options that name one database server. */
export function addServerOptions(command: Command): Command {
  return command
    .option('--metadata', 'the primary of the metadata servers')
    .option('--cluster <id or name>', 'a cluster: its id, name, or nick name')
    .option('--comp <id>', 'the compute node with this id')
    .option('--shard <id>', 'the primary of the shard with this id')
    .option('--node <id>', 'with --shard: the storage node with this id instead of the primary')
    .option('--application', "with --comp: the applications' account instead of the administrator's");
}

/** `kluster url`: one connection URL with its password. Works without a manager; reads the files of the home. */
export function addUrlCommand(program: Command, context: CliContext): void {
  const command = program
    .command('url')
    .summary('Print the URL of a database server, with a password')
    .description(
      'Print the URL of a database server with an account that may administer it.\n' +
        'The password is in it: keep it out of logs. Only the owner of the home can use this.',
    );
  addServerOptions(command).action(async () => {
    const options = command.optsWithGlobals<GlobalOptions & ServerChoice>();
    const access = await serverAccess(homeOf(context, options), options, context.interrupted);
    printLine(context.terminal, connectionUrl(access));
  });
}
