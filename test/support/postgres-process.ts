import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, open, readFile, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostPort } from '../../src/core/model.ts';
import { engineUser, findPostgres, type PostgresInstallation } from '../../src/engines/installation.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import type { SqlAddress } from '../../src/engines/sql.ts';
import { asUser, cleanEnvironment, runProgram } from '../../src/engines/run-program.ts';

/** One real PostgreSQL. */
export interface PostgresServer {
  readonly address: SqlAddress;
  readonly pid: number;
  /** SIGKILL to the server itself, without a farewell to anybody, and a start again. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

const readyDeadlineMs = 60_000;

export interface PostgresServerSettings {
  /** Default: the one that agents would use. */
  readonly installation?: PostgresInstallation;
  /** Parameters beyond those of every test, as `name=value`. */
  readonly parameters?: readonly string[];
  /** Variables beyond the clean environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

async function ready(address: SqlAddress, child: ChildProcess, log: string): Promise<void> {
  const deadline = performance.now() + readyDeadlineMs;
  for (;;) {
    try {
      await withPostgres(address, new AbortController().signal, (session) => session.query('SELECT 1'));
      return;
    } catch (error) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`postgres did not become ready:\n${await readFile(log, 'utf8')}`, { cause: error });
      }
      await sleep(50);
    }
  }
}

/** In an empty directory that engines can use. Whoever starts it stops it. */
export async function startPostgresIn(
  directory: string,
  { hostaddr, port }: HostPort,
  settings: PostgresServerSettings = {},
): Promise<PostgresServer> {
  const postgres = settings.installation ?? (await findPostgres());
  const owner = await engineUser();
  const password = 'Kluster-test-1';
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, `${password}\n`);
  await chown(passwordFile, owner.uid, owner.gid);
  const datadir = join(directory, 'data');
  await runProgram('initdb', {
    ...postgres.command('initdb', [
      `--pgdata=${datadir}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ]),
    user: owner,
    env: settings.environment ?? {},
    cwd: directory,
    signal: AbortSignal.timeout(readyDeadlineMs),
    deadlineMs: readyDeadlineMs,
  });
  const log = join(directory, 'log');
  const file = await open(log, 'w');
  const command = postgres.command('postgres', [
    '-D',
    datadir,
    '-c',
    `listen_addresses=${hostaddr}`,
    '-p',
    String(port),
    '-c',
    'fsync=off',
    '-c',
    `unix_socket_directories=${directory}`,
    ...(settings.parameters ?? []).flatMap((parameter) => ['-c', parameter]),
  ]);
  const start = (): ChildProcess =>
    spawn(command.file, [...command.args], {
      cwd: directory,
      env: { ...cleanEnvironment, ...settings.environment },
      stdio: ['ignore', file.fd, file.fd],
      ...asUser(owner),
    });
  return serve({ hostaddr, port, user: 'postgres', password }, { start, log, file });
}

interface Program {
  readonly start: () => ChildProcess;
  readonly log: string;
  /** What `log` is open as. */
  readonly file: FileHandle;
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** Backends of a server that was killed end by themselves; until they have, another one refuses to start. */
async function startAgain(program: Program, address: SqlAddress): Promise<ChildProcess> {
  for (const deadline = performance.now() + readyDeadlineMs; ; await sleep(100)) {
    const child = program.start();
    try {
      await ready(address, child, program.log);
      return child;
    } catch (error) {
      await end(child, 'SIGINT');
      if (performance.now() > deadline) throw error;
    }
  }
}

async function serve(address: SqlAddress, program: Program): Promise<PostgresServer> {
  let child = program.start();
  const stop = async (): Promise<void> => {
    await end(child, 'SIGINT');
    await program.file.close();
  };
  try {
    await ready(address, child, program.log);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    address,
    get pid() {
      if (child.pid === undefined) throw new Error('postgres has no process id');
      return child.pid;
    },
    crash: async () => {
      await end(child, 'SIGKILL');
      child = await startAgain(program, address);
    },
    stop,
  };
}
