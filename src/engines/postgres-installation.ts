import { readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { EngineInstallation } from './engine-installation.ts';
import { isDirectory, isProgram, printedVersion, programPath, programsIn } from './programs.ts';
import { findVersion, isAtLeast } from './version.ts';

/** PostgreSQL; `directory` is the one that holds `bin`. */
export interface PostgresInstallation extends EngineInstallation {
  readonly engine: 'postgres';
}

const oldestVersion = '15';
/** The major version that setup installs and that compute nodes are tested with. */
const preferredMajor = 15;

/** Below the engines directory: a copy of PostgreSQL that setup made, laid out as on the host. */
export const privatePostgres = 'postgres';

/**
 * Where PostgreSQL is looked for when no directory is given: a private copy, packages of Debian, of RPM systems, a source
 * build.
 */
export async function postgresCandidates(engines: string): Promise<readonly string[]> {
  const own = await majorsIn(join(engines, privatePostgres, 'usr/lib/postgresql'), /^(\d+)$/);
  return [...own.map(({ directory }) => directory), ...(await hostPostgresCandidates())];
}

/** The same without the private copy. */
export async function hostPostgresCandidates(): Promise<readonly string[]> {
  const debian = await majorsIn('/usr/lib/postgresql', /^(\d+)$/);
  const rpm = await majorsIn('/usr', /^pgsql-(\d+)$/);
  const packaged = [...debian, ...rpm].toSorted((a, b) => rank(b.major) - rank(a.major));
  return [...packaged.map(({ directory }) => directory), '/usr/local/pgsql', '/usr/local'];
}

interface Major {
  readonly major: number;
  readonly directory: string;
}

async function majorsIn(parent: string, pattern: RegExp): Promise<Major[]> {
  const names = (await isDirectory(parent)) ? await readdir(parent) : [];
  return names.flatMap((name) => {
    const major = pattern.exec(name)?.[1];
    return major === undefined ? [] : [{ major: Number(major), directory: join(parent, name) }];
  });
}

function rank(major: number): number {
  return major === preferredMajor ? Number.POSITIVE_INFINITY : major;
}

/** The PostgreSQL in a directory, or in the `bin` below it. @throws KlusterError engine_missing */
export async function postgresIn(given: string): Promise<PostgresInstallation> {
  const real = await realpath(given).catch((error: unknown) => {
    throw new KlusterError('engine_missing', `no PostgreSQL in ${given}: ${errorText(error)}`, {
      cause: error,
    });
  });
  const directory = (await isProgram(join(real, 'postgres'))) ? dirname(real) : real;
  const programs = await programsIn([join(directory, 'bin')]);
  const postgres = programs.get('postgres');
  if (postgres === undefined)
    throw new KlusterError('engine_missing', `no program postgres in ${directory}/bin`);
  const printed = await printedVersion(postgres, ['--version']);
  const version = findVersion(printed, '(PostgreSQL) ');
  if (version === undefined || !isAtLeast(version, oldestVersion)) {
    const found = `PostgreSQL in ${directory} says "${printed}"`;
    throw new KlusterError('engine_missing', `${found}, but version ${oldestVersion} or newer is needed`);
  }
  return {
    engine: 'postgres',
    version,
    directory,
    command: (program, args) => ({ file: programPath(programs, program, directory), args }),
  };
}
