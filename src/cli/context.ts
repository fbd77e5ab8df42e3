import { userInfo } from 'node:os';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { defaultHomeDirectory, homeAt, type Home } from '../manager/home.ts';
import { unlessForbidden } from '../manager/json-file.ts';
import { defaultPorts, managerUrl, readHomeConfig, type HomeConfig } from '../manager/home-config.ts';
import type { JobCommand } from './job-flags.ts';
import type { ManagerApi } from './manager-api.ts';
import type { RunningServer } from './serve.ts';
import type { Terminal } from './terminal.ts';

/** Options of every command. */
export interface GlobalOptions {
  readonly home?: string;
  readonly url?: string;
}

/** What the commands work with. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
  /** Aborted by the first SIGINT. */
  readonly interrupted: AbortSignal;
  /** Every job type that has a command. */
  readonly jobs: readonly JobCommand[];
  /** The file that starts this program again. */
  readonly program: string;
  connect(server: ManagerAddress): ManagerApi;
  startManager(options: { readonly home: string }): Promise<RunningServer>;
  startAgent(options: AgentOptions): Promise<RunningServer>;
}

export interface AgentOptions {
  readonly hostaddr: string;
  readonly port: number;
  readonly stateDirectory: string;
  readonly secretFile: string;
  readonly mysqlDirectory?: string;
  readonly postgresDirectory?: string;
}

export function homeOf(context: CliContext, options: GlobalOptions): Home {
  return homeAt(options.home ?? defaultHomeDirectory(context.environment));
}

export interface ManagerAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/** Where the manager is: --url or KLUSTER_URL, else what the home's configuration says. */
export async function managerAddress(context: CliContext, options: GlobalOptions): Promise<ManagerAddress> {
  const { environment } = context;
  const named = options.url ?? environment['KLUSTER_URL'];
  // Another user's installation is used by its URL.
  const config = await unlessForbidden(readHomeConfig(homeOf(context, options)));
  const token = environment['KLUSTER_TOKEN'] ?? plainToken(config);
  const url =
    named ?? (config === undefined ? `http://127.0.0.1:${String(defaultPorts.manager)}` : managerUrl(config));
  if (!URL.canParse(url)) throw new KlusterError('usage', `${url} is not a URL`);
  return { url, token };
}

function plainToken(config: HomeConfig | undefined): string | undefined {
  for (const token of config?.tokens ?? []) {
    if ('token' in token) return token.token;
  }
  return undefined;
}

export async function connectManager(context: CliContext, options: GlobalOptions): Promise<ManagerApi> {
  return context.connect(await managerAddress(context, options));
}

/** Recorded with the jobs that this user submits. */
export function userName(): string {
  return userInfo().username;
}
