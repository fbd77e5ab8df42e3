import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { EngineInstallation } from './engine-installation.ts';
import { readPrivatePrefix, type PrivatePrefix } from './private-prefix.ts';
import { firstHolding, isDirectory, printedVersion, programPath, programsIn } from './programs.ts';
import { findVersion, isAtLeast } from './version.ts';

/** MySQL with the directories that mysqld must be told, because it may not lie where it was built for. */
export interface MysqlInstallation extends EngineInstallation {
  readonly engine: 'mysql';
  /** For `--basedir`. */
  readonly basedir: string;
  /** For `--plugin-dir`. */
  readonly pluginDirectory: string;
  /** For `--lc-messages-dir`. */
  readonly messagesDirectory: string;
}

const oldestVersion = '8.4';
const messagesOfEnglish = 'english/errmsg.sys';

/** Where MySQL is looked for when no directory is given. */
export function mysqlCandidates(enginesDirectory: string): readonly string[] {
  return [join(enginesDirectory, 'mysql'), '/usr/local/mysql', '/usr/local', '/usr'];
}

/** The MySQL in a directory. @throws KlusterError engine_missing when there is none, or one too old. */
export async function mysqlIn(directory: string): Promise<MysqlInstallation> {
  const real = await realpath(directory).catch((error: unknown) => {
    throw new KlusterError('engine_missing', `no MySQL in ${directory}: ${errorText(error)}`, {
      cause: error,
    });
  });
  const prefix = await readPrivatePrefix(real);
  const installation = prefix === undefined ? await ordinary(real) : await inPrefix(real, prefix);
  if (!isAtLeast(installation.version, oldestVersion)) {
    const found = `MySQL in ${directory} is version ${installation.version}`;
    throw new KlusterError('engine_missing', `${found}, but ${oldestVersion} or newer is needed`);
  }
  return installation;
}

async function inPrefix(directory: string, prefix: PrivatePrefix): Promise<MysqlInstallation> {
  const { layout } = prefix;
  const inside = (path: string): string => join(directory, path);
  const programs = await programsIn(layout.programs.map(inside));
  const loader = inside(layout.loader);
  const libraries = layout.libraries.map(inside).join(':');
  return {
    engine: 'mysql',
    version: prefix.version,
    directory,
    basedir: inside(layout.basedir),
    pluginDirectory: inside(layout.plugins),
    messagesDirectory: inside(layout.messages),
    command: (program, args) => ({
      file: loader,
      args: ['--library-path', libraries, programPath(programs, program, directory), ...args],
    }),
  };
}

/** A tarball, or packages of a distribution below `/usr`; a `bin` directory stands for its parent. */
async function ordinary(given: string): Promise<MysqlInstallation> {
  const directory = ['bin', 'sbin'].includes(basename(given)) ? dirname(given) : given;
  const programs = await programsIn([join(directory, 'bin'), join(directory, 'sbin')]);
  const mysqld = programs.get('mysqld');
  if (mysqld === undefined)
    throw new KlusterError('engine_missing', `no mysqld in ${directory}/bin or /sbin`);
  const printed = await printedVersion(mysqld, ['--no-defaults', '--version']);
  const version = findVersion(printed, 'Ver ');
  if (version === undefined || printed.includes('MariaDB')) {
    throw new KlusterError('engine_missing', `${mysqld} is not a MySQL server: it says "${printed}"`);
  }
  return {
    engine: 'mysql',
    version,
    directory,
    basedir: directory,
    pluginDirectory: await directoryOfPlugins(directory),
    messagesDirectory: await directoryOfMessages(directory),
    command: (program, args) => ({ file: programPath(programs, program, directory), args }),
  };
}

/** `lib/plugin` in a tarball, `lib/mysql/plugin` in Debian packages, `lib64/mysql/plugin` in RPM packages. */
async function directoryOfPlugins(directory: string): Promise<string> {
  for (const place of ['lib/plugin', 'lib/mysql/plugin', 'lib64/mysql/plugin']) {
    if (await isDirectory(join(directory, place))) return join(directory, place);
  }
  throw new KlusterError(
    'engine_missing',
    `MySQL in ${directory} has no plugin directory below lib or lib64`,
  );
}

/** `share` in a tarball, `share/mysql` or `share/mysql-8.4` in packages. */
async function directoryOfMessages(directory: string): Promise<string> {
  const share = join(directory, 'share');
  const names = (await isDirectory(share)) ? await readdir(share) : [];
  const packaged = names.filter((name) => name.startsWith('mysql')).map((name) => join(share, name));
  const found = await firstHolding(messagesOfEnglish, [share, ...packaged]);
  if (found === undefined) {
    throw new KlusterError(
      'engine_missing',
      `MySQL in ${directory} has no ${messagesOfEnglish} below ${share}`,
    );
  }
  return found;
}
