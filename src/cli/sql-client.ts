import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMysql, findPostgres, type ProgramCommand } from '../engines/installation.ts';
import type { ServerAccess } from './connection-url.ts';

interface EngineDirectories {
  readonly mysqlDirectory?: string;
  readonly postgresDirectory?: string;
}

/**
 * Runs the engine's own client on the terminal of this process until it ends; resolves to its exit code. The password
 * is never an argument: psql gets it in its environment, mysql in an option file that only the owner can read and
 * that is removed afterwards.
 */
export async function runSqlClient(
  access: ServerAccess,
  clientArguments: readonly string[],
  directories: EngineDirectories,
): Promise<number> {
  return access.engine === 'postgres'
    ? runPsql(access, clientArguments, directories.postgresDirectory)
    : runMysql(access, clientArguments, directories.mysqlDirectory);
}

async function runPsql(
  access: ServerAccess,
  clientArguments: readonly string[],
  directory: string | undefined,
): Promise<number> {
  const postgres = await findPostgres(directory === undefined ? {} : { directory });
  const { hostaddr, port, user, password, database = 'postgres' } = access;
  const command = postgres.command('psql', [
    '-h',
    hostaddr,
    '-p',
    String(port),
    '-U',
    user,
    '-d',
    database,
    ...clientArguments,
  ]);
  return runInForeground(command, { ...process.env, PGPASSWORD: password });
}

async function runMysql(
  access: ServerAccess,
  clientArguments: readonly string[],
  directory: string | undefined,
): Promise<number> {
  const mysql = await findMysql(directory === undefined ? {} : { directory });
  const temporary = await mkdtemp(join(tmpdir(), 'kluster-connect-'));
  try {
    const optionFile = join(temporary, 'client.cnf');
    await writeFile(optionFile, clientOptions(access), { mode: 0o600, flag: 'wx' });
    // Only this file: an account in the user's own ~/.my.cnf, read later, would win.
    const command = mysql.command('mysql', [`--defaults-file=${optionFile}`, ...clientArguments]);
    return await runInForeground(command, process.env);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** In double quotes only the backslash has a meaning in an option file (MySQL manual 6.2.2.2). */
function optionValue(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** An option file of the mysql client. */
export function clientOptions(access: ServerAccess): string {
  const { hostaddr, port, user, password, database } = access;
  return [
    '[client]',
    'protocol=tcp',
    `host=${optionValue(hostaddr)}`,
    `port=${String(port)}`,
    `user=${optionValue(user)}`,
    `password=${optionValue(password)}`,
    ...(database === undefined ? [] : ['[mysql]', `database=${optionValue(database)}`]),
    '',
  ].join('\n');
}

/** The client gets the terminal, and Ctrl-C with it: this process only waits. */
async function runInForeground(command: ProgramCommand, environment: NodeJS.ProcessEnv): Promise<number> {
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    const child = spawn(command.file, [...command.args], { stdio: 'inherit', env: environment });
    const forward = (signal: NodeJS.Signals): void => {
      child.kill(signal);
    };
    process.on('SIGTERM', forward);
    try {
      return await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code, signal) => {
          resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
        });
      });
    } finally {
      process.off('SIGTERM', forward);
    }
  } finally {
    process.off('SIGINT', ignore);
  }
}
