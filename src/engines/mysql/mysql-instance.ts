import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type {
  Account,
  FormerSetting,
  MysqlInstanceSpec,
  SavedTransactions,
  SaveTransactionsRequest,
} from '../../core/agent-protocol.ts';
import { KlusterError, errorText } from '../../core/errors/kluster-error.ts';
import type { InstanceId } from '../../core/ids.ts';
import type { EngineCommand, EngineInstance, PulseBeat, PulseSession, StandingSession } from '../engine.ts';
import { copyTree, makeOwnDirectory } from '../file-tree.ts';
import type { EngineUser, MysqlInstallation } from '../installation.ts';
import { replaceFile } from '../replace-file.ts';
import { cleanEnvironment } from '../run-program.ts';
import type { TemplateStore } from '../template.ts';
import { bootstrapStatements, localAccount } from './accounts.ts';
import { hearingStatement, hearsSource } from './channel.ts';
import { dropStaleDoublewrite } from './clone-leftovers.ts';
import { mysqlDialect } from './dialect.ts';
import { logIn } from './log-in.ts';
import { mysqlLayout, type MysqlLayout } from './layout.ts';
import { awaitsNothing, closeBeforeEnd } from './orderly-end.ts';
import { mysqlOptionFile } from './options.ts';
import { dropForbiddenPersisted, restorePersisted } from './persisted-variables.ts';
import { profileEnvironment } from './profile.ts';
import { accessDenied, accountLocked, serverErrorNumber, withLocalSession } from './session.ts';
import { readStanding } from './standing.ts';
import { saveTransactions } from './save-transactions.ts';
import { mysqlTemplate, redoDirectory } from './template.ts';

export interface MysqlInstanceInput {
  readonly id: InstanceId;
  readonly spec: MysqlInstanceSpec;
  readonly accounts: readonly Account[];
  readonly localPassword: string;
  readonly user: EngineUser;
  readonly templates: TemplateStore;
  /** @throws KlusterError engine_missing */
  installation(): Promise<MysqlInstallation>;
  /** Of the installation when it was last looked at. */
  version(): string;
}

/** The server's exit code for RESTART and for the end of a clone (manual, "RESTART Statement"). */
const restartExitCode = 16;
/** ER_TABLEACCESS_DENIED_ERROR: an older agent has made the account, without the right to read this. */
const readingDenied = 1142;
/** A server that starts accepts connections but greets only when it is ready. */
const greetingMs = 1_000;
/** Of a session with a server that has just told that it is ready: patience costs nothing, and a failure the whole job. */
const bootstrapConnectMs = 30_000;
/** Of a session that asks a server which has served already. */
const pulseConnectMs = 400;

/** A storage node, or a node of the metadata cluster. */
export class MysqlInstance implements EngineInstance {
  readonly engine = 'mysql';
  readonly directories: readonly string[];
  readonly datadir: string;
  readonly logFile: string;
  readonly hostaddr: string;
  readonly ports: readonly number[];
  /** Group communication listens on every address, whatever group_replication_local_address names. */
  readonly wildcardPorts: readonly number[];
  readonly mark: string;
  readonly stopSignal = 'SIGTERM';
  readonly restartExitCode = restartExitCode;
  readonly #input: MysqlInstanceInput;
  readonly #layout: MysqlLayout;

  constructor(input: MysqlInstanceInput) {
    const { spec } = input;
    this.#input = input;
    this.#layout = mysqlLayout(input.id, spec);
    this.directories = this.#layout.directories;
    this.datadir = this.#layout.directories[0];
    this.logFile = this.#layout.errorLog;
    this.hostaddr = spec.hostaddr;
    this.wildcardPorts = spec.groupName === undefined ? [] : [spec.groupReplicationPort];
    this.ports = [spec.port, ...this.wildcardPorts];
    this.mark = `--defaults-file=${this.#layout.optionFile}`;
  }

  get version(): string {
    return this.#input.version();
  }

  async populate(signal: AbortSignal): Promise<void> {
    const { templates, user } = this.#input;
    const template = await templates.directory(mysqlTemplate(await this.#input.installation(), user));
    const { binlog, redo, data, temporary, sockets } = this.#layout;
    for (const directory of [binlog, redo, temporary]) await makeOwnDirectory(directory, user);
    if (!this.directories.includes(sockets)) await makeOwnDirectory(sockets, user);
    const skip = redoDirectory;
    await Promise.all([
      copyTree({ from: template, to: data, user, signal, skip }),
      copyTree({ from: join(template, skip), to: join(redo, skip), user, signal }),
    ]);
  }

  async configure(): Promise<void> {
    const { spec, user } = this.#input;
    const installation = await this.#input.installation();
    const text = mysqlOptionFile({ spec, layout: this.#layout, installation });
    await replaceFile(this.#layout.optionFile, text, user);
    await dropForbiddenPersisted(this.#layout.data);
    await dropStaleDoublewrite(this.#layout.data);
    // mysqld takes a zombie, or another process that got the pid, for the owner of these and would not start.
    const { pidFile, socket } = this.#layout;
    for (const path of [pidFile, socket, `${socket}.lock`]) await rm(path, { force: true });
  }

  async command(): Promise<EngineCommand> {
    const installation = await this.#input.installation();
    const { file, args } = installation.command('mysqld', [this.mark]);
    // RESTART and clone work only under a parent that says it will start the server again.
    const supervised = { MYSQLD_PARENT_PID: String(process.pid) };
    return {
      file,
      args,
      env: { ...cleanEnvironment, ...profileEnvironment(this.#input.spec.profile), ...supervised },
    };
  }

  /** As the agent. */
  get #login() {
    const { user } = localAccount;
    return { socket: this.#layout.socket, user, password: this.#input.localPassword, connectMs: greetingMs };
  }

  async probe(signal: AbortSignal): Promise<void> {
    try {
      await withLocalSession(this.#login, signal, (session) => session.query('DO 1'));
    } catch (error) {
      // Before the bootstrap there is no such account; but only a server that is ready can say so.
      if (serverErrorNumber(error) !== accessDenied) throw error;
    }
  }

  async mayEndInOrder(signal: AbortSignal): Promise<boolean> {
    try {
      return await withLocalSession(this.#login, signal, closeBeforeEnd);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return awaitsNothing(this.#layout.data);
    }
  }

  readonly openPulse = async (signal: AbortSignal): Promise<PulseSession | null> => {
    const session = await this.#openSession(signal);
    if (session === null) return null;
    return { beat: () => beat(session), close: () => session.destroy() };
  };

  readonly openStanding = async (signal: AbortSignal): Promise<StandingSession | null> => {
    const session = await this.#openSession(signal);
    if (session === null) return null;
    return { read: () => readStanding(session), close: () => session.destroy() };
  };

  /** Null: the server refuses it. */
  async #openSession(signal: AbortSignal): Promise<Connection | null> {
    signal.throwIfAborted();
    const session = await logIn({
      socketPath: this.#layout.socket,
      user: localAccount.user,
      password: this.#input.localPassword,
      connectTimeout: pulseConnectMs,
    }).catch((error: unknown) => {
      if ((serverErrorNumber(error) ?? 0) > 0) return null;
      throw error;
    });
    // The statement under way tells of a broken session as well.
    session?.on('error', () => {
      session.destroy();
    });
    return session;
  }

  async bootstrap(signal: AbortSignal): Promise<void> {
    const { accounts, localPassword } = this.#input;
    const { socket } = this.#layout;
    const root = { socket, user: 'root', password: '', connectMs: bootstrapConnectMs };
    const statements = bootstrapStatements({ accounts, localPassword, dialect: mysqlDialect(this.version) });
    try {
      await withLocalSession(root, signal, async (session) => {
        for (const statement of statements) await session.query(statement);
      });
    } catch (error) {
      if (serverErrorNumber(error) === accountLocked) return;
      // The statement itself must not be told: it holds a password.
      throw new KlusterError(
        'instance_start_failed',
        `Accounts of ${this.#input.id} could not be made: ${errorText(error)}`,
      );
    }
  }

  async saveTransactions(request: SaveTransactionsRequest): Promise<SavedTransactions> {
    const { id, spec, user } = this.#input;
    const installation = await this.#input.installation();
    const { binlog } = this.#layout;
    return saveTransactions({ id, logdir: spec.logdir, binlog, installation, user }, request);
  }

  async restoreSetting(former: FormerSetting): Promise<void> {
    await restorePersisted(this.#layout.data, former);
  }

  diagnose(log: string): 'port_busy' | null {
    return /Bind on TCP\/IP port: Address already in use|Do you already have another mysqld server running on port/.test(
      log,
    )
      ? 'port_busy'
      : null;
  }
}

async function beat(session: Connection): Promise<PulseBeat> {
  try {
    const [rows] = await session.query<RowDataPacket[]>(hearingStatement);
    return { hearsSource: hearsSource(rows) };
  } catch (error) {
    if (serverErrorNumber(error) !== readingDenied) throw error;
    return { hearsSource: null };
  }
}
