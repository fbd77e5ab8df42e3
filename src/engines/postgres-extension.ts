import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { PostgresInstallation } from './postgres-installation.ts';
import { printedVersion } from './programs.ts';

/** The extension that makes a PostgreSQL server a compute node, and the library that the server preloads. */
export const extensionName = 'kluster';

/** Beside the extension's control file: the digest of the sources it was built from, written by setup. */
const buildFile = 'kluster.build';

/** Where an installation keeps its extensions, relocated or not. */
export async function extensionDirectory(installation: PostgresInstallation): Promise<string> {
  const { file, args } = installation.command('pg_config', ['--sharedir']);
  return join(await printedVersion(file, args), 'extension');
}

/** Where setup notes what it installed. */
export async function extensionBuildFile(installation: PostgresInstallation): Promise<string> {
  return join(await extensionDirectory(installation), buildFile);
}

/** Of the sources that the installed extension was built from; undefined when setup did not install it. */
export async function installedExtension(installation: PostgresInstallation): Promise<string | undefined> {
  try {
    return (await readFile(await extensionBuildFile(installation), 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The same. @throws KlusterError engine_missing when it is not there: a compute node cannot do without. */
export async function requireExtension(installation: PostgresInstallation): Promise<string> {
  const build = await installedExtension(installation);
  if (build !== undefined) return build;
  throw new KlusterError(
    'engine_missing',
    `PostgreSQL in ${installation.directory} has no extension ${extensionName}: run \`npm run setup\` on its machine`,
  );
}
