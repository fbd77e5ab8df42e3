import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, cp, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MetadataDatabase, type MetadataOptions } from '../../src/catalog/database.ts';
import { createMetadataDatabase, migrate } from '../../src/catalog/migrate.ts';
import {
  engineUser,
  findMysql,
  type EngineUser,
  type MysqlInstallation,
} from '../../src/engines/installation.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { asUser, cleanEnvironment, runProgram } from '../../src/engines/run-program.ts';
import { TemplateStore } from '../../src/engines/template.ts';
import { templateCache } from './template-cache.ts';

const user = 'kluster_test';
const password = 'Kluster-test-1';
const startDeadlineMs = 60_000;

/** One real mysqld for the tests of one file. */
export interface MetadataServer {
  readonly hostaddr: string;
  readonly port: number;
  /** How to reach it as an account that may do everything. */
  options(database: string): MetadataOptions;
  /** A new database with the whole schema, opened; `office`: as a manager that has taken office (default). */
  database(settings?: { office?: boolean; connectionLimit?: number }): Promise<MetadataDatabase>;
  /** A new database without any table, opened. */
  emptyDatabase(): Promise<MetadataDatabase>;
  /** The name of the database made last. */
  readonly currentDatabase: string;
  /** Another manager's connections to the database made last. */
  another(settings?: { connectionLimit?: number }): MetadataDatabase;
  /** Ends everything that was opened here, then the server, and removes its files. */
  stop(): Promise<void>;
}

function serverArguments(mysql: MysqlInstallation, datadir: string): string[] {
  return [
    '--no-defaults',
    `--basedir=${mysql.basedir}`,
    `--plugin-dir=${mysql.pluginDirectory}`,
    `--lc-messages-dir=${mysql.messagesDirectory}`,
    `--datadir=${datadir}`,
    '--secure-file-priv=NULL',
    '--innodb-buffer-pool-size=64M',
    '--innodb-redo-log-capacity=16M',
  ];
}

/** Durability costs time that tests of what is stored, not of how durably, need not spend. */
const servingArguments = [
  '--disable-log-bin',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-flush-method=nosync',
  '--mysqlx=OFF',
  '--skip-name-resolve',
  '--default-time-zone=+05:00',
  '--sql-mode=STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
];

async function initialised(mysql: MysqlInstallation, owner: EngineUser): Promise<string> {
  return new TemplateStore(await templateCache(), owner).directory({
    name: `test-mysql-${mysql.version}`,
    build: (directory, signal) => {
      const command = mysql.command('mysqld', [
        ...serverArguments(mysql, directory),
        '--initialize-insecure',
      ]);
      return runProgram('mysqld --initialize', {
        ...command,
        user: owner,
        cwd: directory,
        signal,
        deadlineMs: 120_000,
      });
    },
  });
}

/** Below those that the kernel gives to connections: one of these could take the port before the server has started. */
const ports = { first: 10_000, count: 10_000 };
const portAttempts = 20;

async function freePort(hostaddr: string): Promise<number> {
  for (let attempt = 1; attempt <= portAttempts; attempt += 1) {
    const port = ports.first + randomInt(ports.count);
    if (await isFree(hostaddr, port)) return port;
  }
  throw new Error(`no free port at ${hostaddr}`);
}

async function isFree(hostaddr: string, port: number): Promise<boolean> {
  const server = createServer();
  const listens = await new Promise<boolean>((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, hostaddr, () => {
      resolve(true);
    });
  });
  if (!listens) return false;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return true;
}

async function giveTree(directory: string, owner: EngineUser): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const names = await readdir(directory, { recursive: true });
  await Promise.all(
    [directory, ...names.map((name) => join(directory, name))].map((path) =>
      chown(path, owner.uid, owner.gid),
    ),
  );
}

class Server implements MetadataServer {
  readonly hostaddr = '127.0.0.1';
  readonly port: number;
  private readonly directory: string;
  private readonly opened: MetadataDatabase[] = [];
  private process: ChildProcess | undefined;
  private databases = 0;

  constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  async start(mysql: MysqlInstallation, owner: EngineUser): Promise<void> {
    const datadir = join(this.directory, 'data');
    const accounts = join(this.directory, 'accounts.sql');
    await cp(await initialised(mysql, owner), datadir, { recursive: true });
    await writeFile(
      accounts,
      `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}' REQUIRE SSL;\nGRANT ALL ON *.* TO '${user}'@'%' WITH GRANT OPTION;\n`,
    );
    await giveTree(this.directory, owner);
    const command = mysql.command('mysqld', [
      ...serverArguments(mysql, datadir),
      ...servingArguments,
      `--bind-address=${this.hostaddr}`,
      `--port=${String(this.port)}`,
      `--socket=${join(this.directory, 's')}`,
      `--pid-file=${join(this.directory, 'pid')}`,
      `--tmpdir=${this.directory}`,
      `--init-file=${accounts}`,
    ]);
    const log = await open(this.logFile, 'w');
    this.process = spawn(command.file, [...command.args], {
      cwd: this.directory,
      env: { ...cleanEnvironment },
      stdio: ['ignore', log.fd, log.fd],
      ...asUser(owner),
    });
    await log.close();
    await this.ready(this.process);
  }

  options(database: string): MetadataOptions {
    return { hostaddr: this.hostaddr, port: this.port, user, password, database };
  }

  async database(settings: { office?: boolean; connectionLimit?: number } = {}): Promise<MetadataDatabase> {
    const database = await this.emptyDatabase(settings);
    await migrate(database);
    if (settings.office !== false) await database.takeOffice('test');
    return database;
  }

  async emptyDatabase(settings: { connectionLimit?: number } = {}): Promise<MetadataDatabase> {
    this.databases += 1;
    await createMetadataDatabase(this.options(this.currentDatabase));
    return this.another(settings);
  }

  another(settings: { connectionLimit?: number } = {}): MetadataDatabase {
    const { connectionLimit = 4 } = settings;
    const database = MetadataDatabase.open({ ...this.options(this.currentDatabase), connectionLimit });
    this.opened.push(database);
    return database;
  }

  async stop(): Promise<void> {
    await Promise.all(this.opened.splice(0).map((database) => database.close()));
    const child = this.process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => {
        child.once('exit', resolve);
      });
      child.kill('SIGKILL');
      await ended;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  get currentDatabase(): string {
    return `metadata_${String(this.databases)}`;
  }

  private get logFile(): string {
    return join(this.directory, 'log');
  }

  private async ready(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + startDeadlineMs;
    const address = { hostaddr: this.hostaddr, port: this.port, user, password };
    for (;;) {
      try {
        await withMysql(address, new AbortController().signal, (session) => session.query('SELECT 1'));
        return;
      } catch (error) {
        const ended = child.exitCode !== null || child.signalCode !== null;
        if (ended || performance.now() > deadline) {
          const log = await readFile(this.logFile, 'utf8');
          throw new Error(`mysqld did not become ready:\n${log.slice(-3000)}`, { cause: error });
        }
        await sleep(50);
      }
    }
  }
}

/** Starts a server within a second or two (the first time on a machine: ten). Whoever starts it stops it. */
export async function startMetadataServer(): Promise<MetadataServer> {
  const [mysql, owner] = await Promise.all([findMysql(), engineUser()]);
  const directory = await mkdtemp(join(tmpdir(), 'm-'));
  await chmod(directory, 0o755);
  const server = new Server(directory, await freePort('127.0.0.1'));
  try {
    await server.start(mysql, owner);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}
