import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { MysqlInstanceSpec } from '../../src/core/agent-protocol.ts';
import { instanceId } from '../../src/core/ids.ts';
import type { HostPort } from '../../src/core/model.ts';
import { mysqlLayout, type MysqlLayout } from '../../src/engines/mysql/layout.ts';
import { mysqlOptionFile } from '../../src/engines/mysql/options.ts';
import { withLocalSession } from '../../src/engines/mysql/session.ts';
import { runProgram } from '../../src/engines/run-program.ts';
import {
  bareDeadlineMs,
  endServer,
  makeDirectories,
  startServer,
  type BareInput,
  type BareServer,
} from './bare-server.ts';

export interface BareChanges {
  readonly spec?: Partial<MysqlInstanceSpec>;
  /** Options that are left to the server's own defaults. */
  readonly defaultOptions?: readonly string[];
}

export class BareMysql implements BareServer {
  readonly #input: BareInput;
  readonly #layout: MysqlLayout;
  readonly #spec: MysqlInstanceSpec;
  readonly #defaultOptions: readonly string[];
  #child: ChildProcess | undefined;

  /** `changes`: to what Kluster would start it with. */
  constructor(input: BareInput, directory: string, index: number, changes: BareChanges = {}) {
    this.#input = input;
    const port = 58_000 + index * 4;
    this.#spec = {
      engine: 'mysql',
      hostaddr: input.hostaddr,
      port,
      groupReplicationPort: port + 2,
      datadir: directory,
      logdir: directory,
      walLogDir: directory,
      serverId: index + 1,
      profile: 'small',
      labels: {},
      sealedAccounts: '',
      ...changes.spec,
    };
    this.#defaultOptions = changes.defaultOptions ?? [];
    this.#layout = mysqlLayout(instanceId(`my${String(index)}`), this.#spec);
  }

  async initialise(): Promise<void> {
    const { mysql: installation, user } = this.#input;
    const { directories, data, binlog, redo, temporary, sockets, optionFile } = this.#layout;
    await makeDirectories([...directories, binlog, redo, temporary, sockets], user);
    const text = mysqlOptionFile({ spec: this.#spec, layout: this.#layout, installation });
    const lines = text
      .split('\n')
      .filter((line) => !this.#defaultOptions.some((name) => line.startsWith(`${name}=`)));
    await writeFile(optionFile, lines.join('\n'));
    // Not with the option file: initialising refuses settings of a server that is to be passive.
    const { file, args } = installation.command('mysqld', [
      '--no-defaults',
      '--initialize-insecure',
      `--datadir=${data}`,
      `--innodb-log-group-home-dir=${redo}`,
      `--basedir=${installation.basedir}`,
      `--plugin-dir=${installation.pluginDirectory}`,
      `--lc-messages-dir=${installation.messagesDirectory}`,
      '--secure-file-priv=NULL',
      '--skip-log-bin',
      '--mysqlx=OFF',
      '--character-set-server=utf8mb4',
      '--collation-server=utf8mb4_0900_bin',
      '--innodb-redo-log-capacity=64M',
    ]);
    const signal = AbortSignal.timeout(bareDeadlineMs);
    const run = { file, args, user, cwd: directories[0], signal, deadlineMs: bareDeadlineMs };
    await runProgram('mysqld --initialize-insecure', run);
  }

  async start(): Promise<void> {
    const { mysql, user } = this.#input;
    const { optionFile, socket } = this.#layout;
    const login = { socket, user: 'root', password: '', connectMs: 1000 };
    const signal = AbortSignal.timeout(bareDeadlineMs);
    this.#child = await startServer(mysql.command('mysqld', [`--defaults-file=${optionFile}`]), user, () =>
      withLocalSession(login, signal, (session) => session.query('DO 1')),
    );
  }

  get at(): HostPort {
    return { hostaddr: this.#spec.hostaddr, port: this.#spec.port };
  }

  get groupAt(): HostPort {
    return { hostaddr: this.#spec.hostaddr, port: this.#spec.groupReplicationPort };
  }

  /** Runs statements as root over the local socket. */
  async administer(statements: readonly string[]): Promise<void> {
    const login = { socket: this.#layout.socket, user: 'root', password: '', connectMs: 1000 };
    await withLocalSession(login, AbortSignal.timeout(bareDeadlineMs), async (session) => {
      for (const statement of statements) await session.query(statement);
    });
  }

  async stop(): Promise<void> {
    await endServer(this.#child, 'SIGKILL');
  }
}
