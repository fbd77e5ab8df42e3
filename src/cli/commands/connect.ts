import type { Command } from 'commander';
import { readHomeConfig } from '../../manager/home-config.ts';
import { homeOf, type CliContext, type GlobalOptions } from '../context.ts';
import { runSqlClient } from '../sql-client.ts';
import { CommandExit } from '../exit.ts';
import { serverAccess, type ServerChoice } from '../server-access.ts';
import { addServerOptions } from './url.ts';

/** `kluster connect`: opens psql or mysql on a database server. */
export function addConnectCommand(program: Command, context: CliContext): void {
  const command = program
    .command('connect')
    .description('Open psql or mysql on a database server, with an account that may administer it')
    .argument('[client arguments...]', 'after --, given to the client, e.g. -- -c "SELECT 1"');
  addServerOptions(command).action(async (clientArguments: readonly string[]) => {
    const options = command.optsWithGlobals<GlobalOptions & ServerChoice>();
    const home = homeOf(context, options);
    const access = await serverAccess(home, options, context.interrupted);
    const exitCode = await runSqlClient(access, clientArguments, (await readHomeConfig(home)) ?? {});
    if (exitCode !== 0) throw new CommandExit(exitCode);
  });
}
