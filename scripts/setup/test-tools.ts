import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { aptInstall, hostPackagesLock, updateLists } from './host-packages.ts';
import { majorOf, presentPostgres } from './postgres.ts';
import { SetupError } from './report.ts';
import { whileLocked } from './setup-lock.ts';

/** Programs that only tests and measurements use, and the packages of Debian that have them. */
const tools = [
  { program: 'ip', packageName: 'iproute2' },
  { program: 'curl', packageName: 'curl' },
] as const;

/** Administrators' programs are not in everybody's PATH. */
const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

async function isIn(directories: readonly string[], name: string, mode: number): Promise<boolean> {
  for (const directory of directories) {
    const found = await access(join(directory, name), mode).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** The foreign data wrapper that compute nodes are measured beside, of the PostgreSQL that is there. */
async function missingForeignDataWrapper(): Promise<readonly string[]> {
  const postgres = await presentPostgres();
  if (postgres === undefined) return [];
  // Debian keeps loadable modules in lib, RPM packages too, a source build in lib/postgresql.
  const directories = ['lib', 'lib/postgresql', 'lib64'].map((place) => join(postgres.directory, place));
  if (await isIn(directories, 'mysql_fdw.so', constants.R_OK)) return [];
  return [`postgresql-${String(majorOf(postgres))}-mysql-fdw`];
}

/** The packages of the tools that this machine lacks. */
export async function missingTestTools(): Promise<readonly string[]> {
  const found = await Promise.all(tools.map(({ program }) => isIn(places, program, constants.X_OK)));
  const programs = tools.filter((_, index) => found[index] === false).map(({ packageName }) => packageName);
  return [...programs, ...(await missingForeignDataWrapper())];
}

export async function installTestTools(): Promise<string> {
  const missing = await missingTestTools();
  if (missing.length === 0) return 'there';
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      `the tests need ${missing.join(' and ')}`,
      `An administrator has to run \`apt-get install ${missing.join(' ')}\`.`,
    );
  }
  await whileLocked(hostPackagesLock, async () => {
    await updateLists();
    await aptInstall(missing);
  });
  return `installed ${missing.join(' and ')}`;
}
