import { realpath, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { FormerSetting, Account, PostgresInstanceSpec } from '../../core/agent-protocol.ts';
import { KlusterError, errorText } from '../../core/errors/kluster-error.ts';
import type { InstanceId } from '../../core/ids.ts';
import type { EngineCommand, EngineInstance } from '../engine.ts';
import { copyTree, makeOwnDirectory } from '../file-tree.ts';
import type { EngineUser, PostgresInstallation } from '../installation.ts';
import { requireExtension } from '../postgres-extension.ts';
import { findByDirectory, sendSignal } from '../process-identity.ts';
import { restoreAltered } from './altered-settings.ts';
import { replaceFile } from '../replace-file.ts';
import { cleanEnvironment } from '../run-program.ts';
import type { TemplateStore } from '../template.ts';
import { localRole, postgresConfiguration, postgresHostAccess, postgresIdentities } from './configuration.ts';
import { postgresLayout, type PostgresLayout } from './layout.ts';
import { quoteIdentifier, quoteText } from './quote.ts';
import { postgresTemplate } from './template.ts';

export interface PostgresInstanceInput {
  readonly id: InstanceId;
  readonly spec: PostgresInstanceSpec;
  readonly accounts: readonly Account[];
  readonly user: EngineUser;
  readonly templates: TemplateStore;
  /** @throws KlusterError engine_missing */
  installation(): Promise<PostgresInstallation>;
  /** Of the installation when it was last looked at. */
  version(): string;
}

const connectMs = 1_000;
/** Of a session with a server that has just told that it is ready: patience costs nothing, and a failure the whole job. */
const bootstrapConnectMs = 30_000;
const orphanPollMs = 20;
const orphanWaitMs = 5_000;

/** A compute node. */
export class PostgresInstance implements EngineInstance {
  readonly engine = 'postgres';
  readonly directories: readonly string[];
  readonly datadir: string;
  readonly logFile: string;
  readonly hostaddr: string;
  readonly ports: readonly number[];
  readonly wildcardPorts: readonly number[] = [];
  readonly mark: string;
  /** Fast shutdown (manual 19.5): sessions are ended, then everything is flushed. */
  readonly stopSignal = 'SIGINT';
  readonly restartExitCode = null;
  readonly openPulse = null;
  readonly openStanding = null;
  readonly #input: PostgresInstanceInput;
  readonly #layout: PostgresLayout;

  constructor(input: PostgresInstanceInput) {
    this.#input = input;
    this.#layout = postgresLayout(input.id, input.spec);
    this.directories = this.#layout.directories;
    this.datadir = this.#layout.directories[0];
    this.logFile = this.#layout.log;
    this.hostaddr = input.spec.hostaddr;
    this.ports = [input.spec.port];
    this.mark = `--config-file=${this.#layout.configuration}`;
  }

  get version(): string {
    return this.#input.version();
  }

  async populate(signal: AbortSignal): Promise<void> {
    const { templates, user } = this.#input;
    const installation = await this.#input.installation();
    const extensionBuild = await requireExtension(installation);
    const template = await templates.directory(postgresTemplate({ installation, extensionBuild, user }));
    const { data, sockets } = this.#layout;
    if (!this.directories.includes(sockets)) await makeOwnDirectory(sockets, user);
    await copyTree({ from: template, to: data, user, signal });
  }

  async configure(): Promise<void> {
    const { spec, user } = this.#input;
    const systemUsers = [...new Set([userInfo().username, user.name])];
    const files: readonly (readonly [string, string])[] = [
      [this.#layout.configuration, postgresConfiguration(spec, this.#layout)],
      [this.#layout.hostAccess, postgresHostAccess()],
      [this.#layout.identities, postgresIdentities(systemUsers)],
    ];
    for (const [path, text] of files) await replaceFile(path, text, user);
    await this.#clearAfterCrash();
  }

  /**
   * A killed postmaster leaves backends that end when they notice, and lock files. It may be a zombie, or its pid
   * another process: the next postmaster would take that for a living one and refuse to start. The lock files go only
   * when nothing works in the data directory any more, which is what they are there to make sure of.
   */
  async #clearAfterCrash(): Promise<void> {
    const { data, sockets } = this.#layout;
    const directory = await realpath(data);
    const remaining = () => findByDirectory(directory, this.#input.user.uid);
    for (const orphan of remaining()) sendSignal(orphan, 'SIGKILL');
    for (let waited = 0; remaining().length > 0; waited += orphanPollMs) {
      if (waited >= orphanWaitMs) {
        throw new KlusterError('instance_start_failed', `Processes of an earlier run do not end in ${data}`);
      }
      await sleep(orphanPollMs);
    }
    const socket = join(sockets, `.s.PGSQL.${String(this.#input.spec.port)}`);
    for (const path of [join(data, 'postmaster.pid'), socket, `${socket}.lock`])
      await rm(path, { force: true });
  }

  async command(): Promise<EngineCommand> {
    const installation = await this.#input.installation();
    const { file, args } = installation.command('postgres', [this.mark]);
    return { file, args, env: cleanEnvironment };
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#withSession({ signal, connectMs }, (session) => session.query('SELECT 1'));
  }

  async bootstrap(signal: AbortSignal): Promise<void> {
    try {
      await this.#withSession({ signal, connectMs: bootstrapConnectMs }, async (session) => {
        for (const { user, password } of this.#input.accounts) {
          const found = await session.query('SELECT FROM pg_roles WHERE rolname = $1', [user]);
          const verb = found.rowCount === 0 ? 'CREATE' : 'ALTER';
          const role = quoteIdentifier(user);
          await session.query(`${verb} ROLE ${role} LOGIN SUPERUSER PASSWORD ${quoteText(password)}`);
        }
      });
    } catch (error) {
      // The statement itself must not be told: it holds a password.
      throw new KlusterError(
        'instance_start_failed',
        `Accounts of ${this.#input.id} could not be made: ${errorText(error)}`,
      );
    }
  }

  async restoreSetting(former: FormerSetting): Promise<void> {
    await restoreAltered(this.#layout.data, former);
  }

  diagnose(log: string): 'port_busy' | null {
    return /could not bind .*: Address already in use/.test(log) ? 'port_busy' : null;
  }

  async #withSession(
    {
      signal,
      connectMs: connectionTimeoutMillis,
    }: { readonly signal: AbortSignal; readonly connectMs: number },
    work: (session: Client) => Promise<unknown>,
  ): Promise<void> {
    signal.throwIfAborted();
    const session = new Client({
      host: this.#layout.sockets,
      port: this.#input.spec.port,
      user: localRole,
      database: 'postgres',
      connectionTimeoutMillis,
      query_timeout: 30_000,
    });
    const lost: { error?: Error } = {};
    // pg reports a broken connection both to the query under way and as an event, which would end the process.
    session.on('error', (error) => {
      lost.error = error;
    });
    const cut = (): void => void session.end();
    signal.addEventListener('abort', cut, { once: true });
    try {
      await session.connect();
      await work(session);
      if (lost.error !== undefined) throw lost.error;
    } finally {
      signal.removeEventListener('abort', cut);
      await session.end();
    }
  }
}
