import type { Command } from 'commander';
import { registerAgent } from '../../client/agent-registration.ts';
import { engineUser, findMysql, findPostgres } from '../../engines/installation.ts';
import { checkTraversable, ensureHome, type Home } from '../../manager/home.ts';
import { managerUrl, type HomeConfig } from '../../manager/home-config.ts';
import { installationSecret } from '../../manager/secrets.ts';
import { connectManager, homeOf, type CliContext, type GlobalOptions } from '../context.ts';
import { printLine, remark } from '../terminal.ts';
import { chooseConfig, type ChosenByUser } from '../up/choose-config.ts';
import { lockHome } from '../up/lock-home.ts';
import { ensureMachine, ensureQuickstart, findQuickstart, waitUntilServing } from '../up/quickstart.ts';
import { ensureServer } from '../up/servers.ts';
import { summary } from '../up/summary.ts';
import { positiveNumber } from './job.ts';

interface UpOptions extends GlobalOptions, ChosenByUser {
  readonly cluster: boolean;
}

/** `kluster up`: from nothing to a running cluster on this machine. Repeating it completes what is missing. */
export function addUpCommand(program: Command, context: CliContext): void {
  program
    .command('up')
    .description('Start everything on this machine and make a first cluster, or complete what is missing')
    .option('--hostaddr <address>', 'address of this machine (default 127.0.0.1)')
    .option('--bind <address>', 'address the API listens at (default: hostaddr)')
    .option('--port <number>', 'port of the API (default 35001, or the next free one)', positiveNumber)
    .option(
      '--agent-port <number>',
      'port of the agent (default 35002, or the next free one)',
      positiveNumber,
    )
    .option('--no-cluster', 'servers and machine only, no cluster')
    .action(async (_options: unknown, command: Command) => {
      await up(context, command.optsWithGlobals<UpOptions>());
    });
}

async function up(context: CliContext, options: UpOptions): Promise<void> {
  const home = homeOf(context, options);
  await ensureHome(home);
  const lock = await lockHome(home, context.interrupted);
  try {
    await complete(context, home, options);
  } finally {
    await lock.release();
  }
}

async function complete(context: CliContext, home: Home, options: UpOptions): Promise<void> {
  const { terminal } = context;
  const config = await chooseConfig(home, options, (text) => {
    remark(terminal, text);
  });
  await checkMachine(home, config);
  const startedAgent = await ensureServer(context, { home, config, role: 'agent' });
  if (startedAgent) remark(terminal, 'agent started');
  const startedManager = await ensureServer(context, { home, config, role: 'manager' });
  if (startedManager) remark(terminal, 'manager started');

  // The agent does so itself, a moment later; registering the machine needs it now.
  await registerAgent(
    {
      manager: managerUrl(config),
      secret: await installationSecret(home),
      agent: { hostaddr: config.hostaddr, port: config.agentPort },
    },
    context.interrupted,
  );

  const api = await connectManager(context, { home: home.directory, url: managerUrl(config) });
  const installation = { context, api, home, config };
  const before = options.cluster ? await findQuickstart(api) : undefined;
  await ensureMachine(installation);
  const cluster = options.cluster ? await ensureQuickstart(installation) : undefined;
  await waitUntilServing(installation);
  const changed = startedAgent || startedManager || (options.cluster && before === undefined);
  printLine(terminal, changed ? 'Kluster is up.' : 'Kluster is up already; nothing was changed.');
  printLine(terminal, await summary({ context, home, config }, cluster));
}

/** Finds now what would otherwise show as a failed job. */
async function checkMachine(home: Home, config: HomeConfig): Promise<void> {
  await findMysql(config.mysqlDirectory === undefined ? {} : { directory: config.mysqlDirectory });
  await findPostgres(config.postgresDirectory === undefined ? {} : { directory: config.postgresDirectory });
  await checkTraversable(home.dataDirectory, await engineUser());
}
