import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import { findPostgres, type PostgresInstallation } from '../../src/engines/installation.ts';
import { aptInstall, hostPackagesLock, updateLists } from './host-packages.ts';
import { SetupError } from './report.ts';
import { runProgram } from './run-program.ts';
import { whileLocked } from './setup-lock.ts';

/** The major version that compute nodes are tested with; the newest other one is taken where Debian lacks it. */
const preferredMajor = 15;
const oldestMajor = 15;
/** Read by postgresql-common when it installs a server package; our file is there during our installation only. */
const noClusterFile = '/etc/postgresql-common/createcluster.d/zz-kluster-setup.conf';

export interface PresentPostgres {
  readonly installation: PostgresInstallation;
  readonly hasForeignDataWrapper: boolean;
}

/** The PostgreSQL that agents will use, or undefined when there is none. */
export async function presentPostgres(): Promise<PresentPostgres | undefined> {
  const installation = await findPostgres().catch((error: unknown) => {
    if (error instanceof KlusterError && error.kind === 'engine_missing') return undefined;
    throw error;
  });
  if (installation === undefined) return undefined;
  return { installation, hasForeignDataWrapper: await hasForeignDataWrapper(installation.directory) };
}

/** Debian keeps loadable modules in lib, RPM packages too, a source build in lib/postgresql. */
async function hasForeignDataWrapper(directory: string): Promise<boolean> {
  for (const place of ['lib', 'lib/postgresql', 'lib64']) {
    const found = await access(join(directory, place, 'mysql_fdw.so')).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** Installs PostgreSQL and its foreign data wrapper for MySQL with the host's apt-get, as far as they are missing. */
export async function installPostgres(): Promise<PresentPostgres> {
  const present = await presentPostgres();
  if (present?.hasForeignDataWrapper === true) return present;
  requireRoot(present);
  return whileLocked(hostPackagesLock, async () => {
    const meanwhile = await presentPostgres();
    if (meanwhile?.hasForeignDataWrapper === true) return meanwhile;
    await installPackages(meanwhile);
    const installed = await presentPostgres();
    if (installed?.hasForeignDataWrapper !== true) {
      throw new SetupError(
        'PostgreSQL or its mysql_fdw is still not found after its packages were installed',
        'Look at `dpkg --list "postgresql*"`, and report this.',
      );
    }
    return installed;
  });
}

function requireRoot(present: PresentPostgres | undefined): void {
  if (process.getuid?.() === 0) return;
  const major = present === undefined ? preferredMajor : majorOf(present);
  const names = present === undefined ? packagesOf(major) : [foreignDataWrapperPackage(major)];
  throw new SetupError(
    `${present === undefined ? 'PostgreSQL is' : 'mysql_fdw, an extension of PostgreSQL, is'} missing`,
    `An administrator has to run \`npm run setup\`, or \`apt-get install ${names.join(' ')}\`.`,
  );
}

function majorOf(present: PresentPostgres): number {
  return Number.parseInt(present.installation.version, 10);
}

function foreignDataWrapperPackage(major: number): string {
  return `postgresql-${major}-mysql-fdw`;
}

function packagesOf(major: number): string[] {
  return [`postgresql-${major}`, foreignDataWrapperPackage(major)];
}

async function installPackages(present: PresentPostgres | undefined): Promise<void> {
  // Only what is missing is named, so that apt does not upgrade (and restart) a server that is in use.
  if (present !== undefined) {
    const wrapper = foreignDataWrapperPackage(majorOf(present));
    if (!(await knownPackages()).includes(wrapper)) await updateLists();
    return aptInstall([wrapper]);
  }
  let major = newestUsable(await knownPackages());
  if (major === undefined) {
    await updateLists();
    major = newestUsable(await knownPackages());
  }
  if (major === undefined) {
    throw new SetupError(
      `apt knows no package postgresql-${oldestMajor} or newer that has a mysql_fdw`,
      'Setup installs PostgreSQL on Debian only. On another system install PostgreSQL 15 and mysql_fdw yourself.',
    );
  }
  await withoutMainCluster(() => aptInstall(packagesOf(major)));
}

/** 15 when apt offers it with its foreign data wrapper, otherwise the newest that it does. */
function newestUsable(known: readonly string[]): number | undefined {
  const majors = known
    .map((name) => /^postgresql-(\d+)$/.exec(name)?.[1])
    .filter((major) => major !== undefined)
    .map(Number)
    .filter((major) => major >= oldestMajor && known.includes(foreignDataWrapperPackage(major)));
  return majors.includes(preferredMajor) ? preferredMajor : majors.toSorted((a, b) => b - a)[0];
}

async function knownPackages(): Promise<string[]> {
  const { stdout } = await runProgram(['apt-cache', '--no-all-names', 'pkgnames', 'postgresql-']);
  return stdout.split('\n');
}

/** Debian's package makes and starts a database cluster at its first installation; Kluster has no use for it. */
async function withoutMainCluster(work: () => Promise<void>): Promise<void> {
  await mkdir(dirname(noClusterFile), { recursive: true });
  await writeFile(noClusterFile, 'create_main_cluster = false\n');
  try {
    await work();
  } finally {
    await rm(noClusterFile, { force: true });
  }
}
