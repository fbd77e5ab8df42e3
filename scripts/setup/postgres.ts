import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
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

/** The PostgreSQL that agents will use, or undefined when there is none. */
export async function presentPostgres(): Promise<PostgresInstallation | undefined> {
  return findPostgres().catch((error: unknown) => {
    if (error instanceof KlusterError && error.kind === 'engine_missing') return undefined;
    throw error;
  });
}

export function majorOf({ version }: PostgresInstallation): number {
  return Number.parseInt(version, 10);
}

/** Installs PostgreSQL with the host's apt-get when it is missing. */
export async function installPostgres(): Promise<PostgresInstallation> {
  const present = await presentPostgres();
  if (present !== undefined) return present;
  requireRoot();
  return whileLocked(hostPackagesLock, async () => {
    const meanwhile = await presentPostgres();
    if (meanwhile !== undefined) return meanwhile;
    await installPackages();
    const installed = await presentPostgres();
    if (installed === undefined) {
      throw new SetupError(
        'PostgreSQL is still not found after its packages were installed',
        'Look at `dpkg --list "postgresql*"`, and report this.',
      );
    }
    return installed;
  });
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new SetupError(
    'PostgreSQL is missing',
    `An administrator has to run \`npm run setup\`, or \`apt-get install postgresql-${preferredMajor}\`.`,
  );
}

async function installPackages(): Promise<void> {
  let major = newestUsable(await knownPackages());
  if (major === undefined) {
    await updateLists();
    major = newestUsable(await knownPackages());
  }
  if (major === undefined) {
    throw new SetupError(
      `apt knows no package postgresql-${oldestMajor} or newer`,
      'Setup installs PostgreSQL on Debian only. On another system install PostgreSQL 15 yourself.',
    );
  }
  await withoutMainCluster(() => aptInstall([`postgresql-${major}`]));
}

/** 15 when apt offers it, otherwise the newest that it does. */
function newestUsable(known: readonly string[]): number | undefined {
  const majors = known
    .map((name) => /^postgresql-(\d+)$/.exec(name)?.[1])
    .filter((major) => major !== undefined)
    .map(Number)
    .filter((major) => major >= oldestMajor);
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
