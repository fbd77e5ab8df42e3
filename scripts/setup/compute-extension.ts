import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import {
  enginesDirectory,
  findHostPostgres,
  findPostgres,
  type PostgresInstallation,
} from '../../src/engines/installation.ts';
import {
  extensionBuildFile,
  extensionName,
  installedExtension,
} from '../../src/engines/postgres-extension.ts';
import { postgresIn, privatePostgres } from '../../src/engines/postgres-installation.ts';
import { aptInstall, hostPackagesLock } from './host-packages.ts';
import { SetupError, progress } from './report.ts';
import { runOrFail, runProgram } from './run-program.ts';
import { whileLocked } from './setup-lock.ts';

/** Setup runs in the root of the package. */
const sourceDirectory = resolve('compute');
const sourceFile = /\.(?:c|h|sql|control)$|^Makefile$/;
const buildDeadlineMs = 10 * 60_000;
const shownDigits = 12;
/** Without them there is a message about a lost build directory instead of a reason. */
const buildPrograms = ['make', 'gcc', 'mariadb_config'];

export interface PresentExtension {
  readonly isCurrent: boolean;
  readonly text: string;
}

/** Whether the PostgreSQL that agents will use has the extension as it is in the sources here. */
export async function presentExtension(): Promise<PresentExtension> {
  const [host, used] = await Promise.all([findHostPostgres(), findPostgres()]).catch((error: unknown) => {
    if (error instanceof KlusterError && error.kind === 'engine_missing') return [];
    throw error;
  });
  if (host === undefined || used === undefined) return { isCurrent: false, text: 'missing, like PostgreSQL' };
  const [installed, wanted] = await Promise.all([installedExtension(used), sourceDigest(host)]);
  if (installed === undefined) return { isCurrent: false, text: `missing in ${used.directory}` };
  if (installed !== wanted) return { isCurrent: false, text: `of other sources in ${used.directory}` };
  return { isCurrent: true, text: describe(used, installed) };
}

const describe = (postgres: PostgresInstallation, digest: string): string =>
  `build ${digest.slice(0, shownDigits)} in ${postgres.directory}`;

/**
 * Builds and installs the extension when its sources or PostgreSQL have changed: into the host's PostgreSQL, or, when that must not be
 * changed, into a copy of it below the engines directory.
 */
export async function installExtension(): Promise<string> {
  const present = await presentExtension();
  if (present.isCurrent) return present.text;
  const host = await findHostPostgres();
  await requireBuildTools(host);
  const build = await mkdtemp(join(tmpdir(), 'kluster-extension-'));
  try {
    await copySources(build);
    await make(build, host);
    const installed = (await mayChange(host))
      ? await install(build, host)
      : await installInCopy(build, host, join(enginesDirectory(), privatePostgres));
    const digest = await sourceDigest(host);
    await writeFile(await extensionBuildFile(installed), `${digest}\n`);
    return describe(installed, digest);
  } finally {
    await rm(build, { recursive: true, force: true });
  }
}

/** Whoever names an engines directory wants nothing to be changed outside of it. */
async function mayChange(host: PostgresInstallation): Promise<boolean> {
  if (process.env['KLUSTER_ENGINES'] !== undefined) return false;
  return access(dirname(await extensionBuildFile(host)), constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function sourceNames(): Promise<readonly string[]> {
  const names = await readdir(sourceDirectory, { recursive: true });
  return names.filter((name) => sourceFile.test(name)).toSorted();
}

/** Of the sources, and of the version that they are built for. */
async function sourceDigest(host: PostgresInstallation): Promise<string> {
  const digest = createHash('sha256').update(`${host.version}\n`);
  for (const name of await sourceNames()) {
    const text = await readFile(join(sourceDirectory, name));
    digest.update(`${name} ${String(text.length)}\n`).update(text);
  }
  return digest.digest('hex');
}

const majorOf = (postgres: PostgresInstallation): number => Number.parseInt(postgres.version, 10);

const buildPackages = (postgres: PostgresInstallation): readonly string[] => [
  `postgresql-server-dev-${String(majorOf(postgres))}`,
  'libmariadb-dev',
  'gcc',
  'make',
];

async function requireBuildTools(postgres: PostgresInstallation): Promise<void> {
  if (await hasBuildTools(postgres)) return;
  const names = buildPackages(postgres);
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      `the extension ${extensionName} cannot be built without ${names.join(', ')}`,
      `An administrator has to run \`apt-get install ${names.join(' ')}\`.`,
    );
  }
  await whileLocked(hostPackagesLock, () => aptInstall(names));
}

async function hasBuildTools(postgres: PostgresInstallation): Promise<boolean> {
  for (const program of buildPrograms) {
    const works = await runProgram([program, '--version']).then(
      ({ status }) => status === 0,
      (error: unknown) => {
        if (error instanceof SetupError) return false;
        throw error;
      },
    );
    if (!works) return false;
  }
  const { stdout } = await runProgram([configProgram(postgres), '--pgxs']);
  return access(stdout.trim()).then(
    () => true,
    () => false,
  );
}

function configProgram(postgres: PostgresInstallation): string {
  return postgres.command('pg_config', []).file;
}

async function copySources(build: string): Promise<void> {
  for (const name of await sourceNames()) {
    await mkdir(dirname(join(build, name)), { recursive: true });
    await cp(join(sourceDirectory, name), join(build, name));
  }
}

async function make(build: string, postgres: PostgresInstallation, ...more: string[]): Promise<void> {
  const jobs = `--jobs=${String(availableParallelism())}`;
  await runOrFail(
    ['make', '--silent', jobs, `--directory=${build}`, `PG_CONFIG=${configProgram(postgres)}`, ...more],
    'This is a defect of the extension or of the build tools: report it.',
    { deadlineMs: buildDeadlineMs },
  );
}

async function install(build: string, postgres: PostgresInstallation): Promise<PostgresInstallation> {
  progress(`installing the extension ${extensionName} into ${postgres.directory}`);
  await make(build, postgres, 'install');
  return postgres;
}

/** PostgreSQL finds its files relative to its programs, so a copy with the same layout is a whole one. */
async function installInCopy(
  build: string,
  host: PostgresInstallation,
  prefix: string,
  ...more: string[]
): Promise<PostgresInstallation> {
  progress(`installing the extension ${extensionName} into a copy of PostgreSQL in ${prefix}`);
  const { stdout } = await runProgram([configProgram(host), '--sharedir']);
  await mkdir(prefix, { recursive: true }).catch((error: unknown) => {
    throw new SetupError(
      `neither ${host.directory} nor ${prefix} can be written`,
      'Run `npm run setup` as root, or set KLUSTER_ENGINES to a directory of yours.',
      error,
    );
  });
  const copied = await postgresIn(join(prefix, host.directory)).catch(() => undefined);
  if (copied?.version !== host.version) {
    await rm(prefix, { recursive: true, force: true });
    for (const directory of [host.directory, stdout.trim()]) {
      await cp(directory, join(prefix, directory), { recursive: true, verbatimSymlinks: true });
    }
  }
  await make(build, host, `DESTDIR=${prefix}`, ...more, 'install');
  return postgresIn(join(prefix, host.directory));
}

/** A copy of a PostgreSQL below `prefix`, with the extension built for tests: `more` are arguments of make. */
export async function buildForTests(
  host: PostgresInstallation,
  prefix: string,
  ...more: string[]
): Promise<PostgresInstallation> {
  await requireBuildTools(host);
  const build = await mkdtemp(join(tmpdir(), 'kluster-extension-'));
  try {
    await copySources(build);
    await make(build, host, ...more);
    return await installInCopy(build, host, prefix, ...more);
  } finally {
    await rm(build, { recursive: true, force: true });
  }
}
