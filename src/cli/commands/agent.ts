import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { registerAgent } from '../../client/agent-registration.ts';
import { errorText, toKlusterError } from '../../core/errors/kluster-error.ts';
import { ensureHome } from '../../manager/home.ts';
import { defaultPorts, managerUrl, readHomeConfig } from '../../manager/home-config.ts';
import { recordThisProcess } from '../../manager/process-file.ts';
import { installationSecret } from '../../manager/secrets.ts';
import { homeOf, type AgentOptions, type CliContext, type GlobalOptions } from '../context.ts';
import { serveUntilSignal } from '../serve.ts';
import { remark, type Terminal } from '../terminal.ts';
import { positiveNumber } from './job.ts';

interface AgentCommandOptions extends GlobalOptions {
  readonly hostaddr?: string;
  readonly port?: number;
  readonly manager?: string;
}

/** `kluster agent`: the agent in the foreground, as a service supervisor wants it. */
export function addAgentCommand(program: Command, context: CliContext): void {
  program
    .command('agent')
    .description('Run the agent of this machine in the foreground')
    .option('--hostaddr <address>', 'address at which managers reach this machine (default: of the home)')
    .option('--port <number>', 'port of the agent (default: of the home, else 35002)', positiveNumber)
    .option('--manager <url>', 'manager to register with (default: the manager of the home)')
    .action(async (_options: unknown, command: Command) => {
      await runAgent(context, command.optsWithGlobals<AgentCommandOptions>());
    });
}

async function runAgent(context: CliContext, options: AgentCommandOptions): Promise<void> {
  const home = homeOf(context, options);
  await ensureHome(home);
  const config = await readHomeConfig(home);
  const secret = await installationSecret(home);
  const hostaddr = options.hostaddr ?? config?.hostaddr ?? '127.0.0.1';
  const port = options.port ?? config?.agentPort ?? defaultPorts.agent;
  const manager = options.manager ?? (config === undefined ? undefined : managerUrl(config));
  const release = await recordThisProcess(home.agentPidFile, 'agent');
  try {
    await serveUntilSignal(async () => {
      const agentOptions: AgentOptions = {
        hostaddr,
        port,
        stateDirectory: home.agentDirectory,
        secretFile: home.secretFile,
        ...(config?.mysqlDirectory === undefined ? {} : { mysqlDirectory: config.mysqlDirectory }),
        ...(config?.postgresDirectory === undefined ? {} : { postgresDirectory: config.postgresDirectory }),
      };
      const server = await context.startAgent(agentOptions);
      const stopped = new AbortController();
      const registered =
        manager === undefined
          ? Promise.resolve()
          : keepRegistered(
              { manager, secret, agent: { hostaddr, port } },
              { terminal: context.terminal, signal: stopped.signal },
            );
      return {
        close: async () => {
          stopped.abort();
          await registered;
          await server.close();
        },
      };
    });
  } finally {
    await release();
  }
}

const firstRetryMs = 200;
const longestRetryMs = 2000;
/** A manager whose metadata was lost or moved learns of the agent again within this time. */
const repeatMs = 60_000;

/** Registers, and repeats it for as long as the agent runs: managers come and go. */
async function keepRegistered(
  registration: Parameters<typeof registerAgent>[0],
  run: { readonly terminal: Terminal; readonly signal: AbortSignal },
): Promise<void> {
  const { terminal, signal } = run;
  let retryMs = firstRetryMs;
  let told = '';
  while (!signal.aborted) {
    let waitMs = repeatMs;
    try {
      await registerAgent(registration, signal);
      if (told !== 'registered') remark(terminal, `registered with ${registration.manager}`);
      told = 'registered';
      retryMs = firstRetryMs;
    } catch (error) {
      if (signal.aborted) return;
      const { kind } = toKlusterError(error);
      if (told !== kind) remark(terminal, `not registered yet: ${errorText(error)}`);
      told = kind;
      waitMs = retryMs;
      retryMs = Math.min(2 * retryMs, longestRetryMs);
    }
    await pause(waitMs, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
