import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import { findMysql, type MysqlInstallation } from '../../src/engines/installation.ts';
import { engineMarkFile, type PrivatePrefix } from '../../src/engines/private-prefix.ts';
import { findVersion } from '../../src/engines/version.ts';
import { downloadPackages } from './private-apt.ts';
import { SetupError, progress } from './report.ts';
import { runOrFail } from './run-program.ts';
import { whileLocked } from './setup-lock.ts';

/** Debian has MySQL 9.x in this suite only (releases carry MariaDB). */
const suite = 'sid';
const packages = ['mysql-server-core', 'mysql-client-core', 'mysql-router'];
const neededPrograms = ['mysqld', 'mysql', 'mysqladmin', 'mysqlbinlog', 'mysqldump', 'mysqlrouter'];
const neededPlugins = ['group_replication.so', 'mysql_clone.so', 'semisync_source.so', 'semisync_replica.so'];
const temporaryName = '.installing-';
/** 70 MB of packages and 450 MB of files, rounded up. */
const neededBytes = 800 * 1024 * 1024;
const extractDeadlineMs = 5 * 60_000;

/** The MySQL that agents will use, or undefined when there is none. */
export async function presentMysql(): Promise<MysqlInstallation | undefined> {
  return findMysql().catch((error: unknown) => {
    if (error instanceof KlusterError && error.kind === 'engine_missing') return undefined;
    throw error;
  });
}

/** Installs MySQL into a private prefix below `engines`, unless a usable one is there. */
export async function installMysql(engines: string): Promise<MysqlInstallation> {
  const present = await presentMysql();
  if (present !== undefined) return present;
  await mkdir(engines, { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw notWritable(engines, error);
  });
  await access(engines, 2).catch((error: unknown) => {
    throw notWritable(engines, error);
  });
  return whileLocked(join(engines, '.setup.lock'), async () => {
    const meanwhile = await presentMysql();
    if (meanwhile !== undefined) return meanwhile;
    await removeLeftovers(engines);
    await requireSpace(engines);
    const temporary = await mkdtemp(join(engines, temporaryName));
    try {
      await activate(engines, await fill(temporary));
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return findMysql({ directory: join(engines, 'mysql') });
  });
}

function notWritable(engines: string, cause: unknown): SetupError {
  const advice = 'Run `npm run setup` as root, or set KLUSTER_ENGINES to a directory of yours.';
  return new SetupError(`MySQL is missing and ${engines} cannot be written`, advice, cause);
}

async function removeLeftovers(engines: string): Promise<void> {
  const names = await readdir(engines);
  for (const name of names.filter((entry) => entry.startsWith(temporaryName))) {
    progress(`removing what an interrupted setup left: ${join(engines, name)}`);
    await rm(join(engines, name), { recursive: true, force: true });
  }
}

async function requireSpace(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free >= neededBytes) return;
  const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`;
  throw new SetupError(
    `${directory} has ${mebibytes(free)} free, MySQL needs ${mebibytes(neededBytes)}`,
    'Free space there, or set KLUSTER_ENGINES to a directory on another file system.',
  );
}

/** Makes a complete prefix in a temporary directory. @returns its path. */
async function fill(temporary: string): Promise<string> {
  await chmod(temporary, 0o755);
  const prefix = join(temporary, 'prefix');
  await mkdir(prefix, { mode: 0o755 });
  progress(`downloading MySQL from Debian ${suite} (about 90 MB)`);
  const files = await downloadPackages(join(temporary, 'apt'), suite, packages);
  progress(`unpacking ${files.length} packages (about 450 MB)`);
  for (const file of files) {
    await runOrFail(['dpkg-deb', '--extract', file, prefix], 'Run setup again; check for a full disk.', {
      deadlineMs: extractDeadlineMs,
    });
  }
  const mark = await describe(prefix);
  await runOrFail(['sync', '--file-system', prefix], 'Check the disk of this machine.', {
    deadlineMs: extractDeadlineMs,
  });
  await writeFile(join(prefix, engineMarkFile), `${JSON.stringify(mark, undefined, 2)}\n`, { flush: true });
  return prefix;
}

/** Looks where things lie, runs mysqld once, and fails when something that Kluster needs is not there. */
async function describe(prefix: string): Promise<PrivatePrefix> {
  const layout = await layoutOf(prefix);
  await requireFiles(prefix, layout.programs, neededPrograms);
  await requireFiles(prefix, [layout.plugins], neededPlugins);
  const libraries = layout.libraries.map((path) => join(prefix, path)).join(':');
  const mysqld = join(prefix, 'usr/sbin/mysqld');
  const loader = join(prefix, layout.loader);
  const printed = await runOrFail(
    [loader, '--library-path', libraries, mysqld, '--no-defaults', '--version'],
    'This is a fault of setup or of the packages; report it.',
  );
  const version = findVersion(printed, 'Ver ');
  if (version === undefined) throw incomplete(`mysqld says "${printed.trim()}"`);
  return { engine: 'mysql', version, layout };
}

async function layoutOf(prefix: string): Promise<PrivatePrefix['layout']> {
  for (const directory of ['usr/lib64', 'usr/lib']) {
    const names = await readdir(join(prefix, directory)).catch(() => []);
    const loader = names.find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
    if (loader === undefined) continue;
    const libraries = relative(prefix, dirname(await realpath(join(prefix, directory, loader))));
    return {
      loader: join(directory, loader),
      libraries: [libraries, 'usr/lib/mysql-router'],
      programs: ['usr/sbin', 'usr/bin'],
      basedir: 'usr',
      plugins: 'usr/lib/mysql/plugin',
      messages: 'usr/share/mysql',
    };
  }
  throw incomplete('they bring no dynamic loader');
}

async function requireFiles(
  prefix: string,
  directories: readonly string[],
  wanted: readonly string[],
): Promise<void> {
  const lists = await Promise.all(
    directories.map((directory) => readdir(join(prefix, directory)).catch(() => [])),
  );
  const missing = wanted.filter((name) => !lists.flat().includes(name));
  if (missing.length > 0) throw incomplete(`they lack ${missing.join(', ')}`);
}

function incomplete(why: string): SetupError {
  return new SetupError(
    `the MySQL packages of Debian ${suite} are not as expected: ${why}`,
    'Install MySQL 8.4 or newer yourself below /usr/local/mysql, and report this.',
  );
}

/** Moves a complete prefix to its place and lets the link `mysql` point to it, each with one rename. */
async function activate(engines: string, prefix: string): Promise<void> {
  const { version } = await findMysql({ directory: prefix });
  const target = join(engines, `mysql-${version}`);
  // Without its mark it was never complete: presentMysql() would have found it through the link, or activates it here.
  const complete = await access(join(target, engineMarkFile)).then(
    () => true,
    () => false,
  );
  if (!complete) {
    await rm(target, { recursive: true, force: true });
    await rename(prefix, target);
  }
  const link = join(engines, 'mysql');
  const newLink = join(dirname(prefix), 'link');
  await symlink(basename(target), newLink);
  await rename(newLink, link);
  progress(`installed MySQL ${version} in ${target} (${link} -> ${await readlink(link)})`);
}
