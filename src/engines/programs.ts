import { execFile } from 'node:child_process';
import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';

const run = promisify(execFile);
const versionDeadlineMs = 30_000;

/** Where each program of an installation lies: name → absolute path. */
export type Programs = ReadonlyMap<string, string>;

export async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

export async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first of the paths that is a directory and holds `file`. */
export async function firstHolding(
  file: string,
  directories: readonly string[],
): Promise<string | undefined> {
  for (const directory of directories) {
    if (await stat(join(directory, file)).catch(() => undefined)) return directory;
  }
  return undefined;
}

/** All files in the directories; where two have the same name, the earlier directory wins. */
export async function programsIn(directories: readonly string[]): Promise<Programs> {
  const programs = new Map<string, string>();
  for (const directory of directories) {
    if (!(await isDirectory(directory))) continue;
    for (const name of await readdir(directory)) {
      if (!programs.has(name)) programs.set(name, join(directory, name));
    }
  }
  return programs;
}

/** Path of one program. @throws KlusterError engine_missing when the installation has no such program. */
export function programPath(programs: Programs, program: string, directory: string): string {
  const path = programs.get(program);
  if (path === undefined) {
    throw new KlusterError('engine_missing', `The installation in ${directory} has no program ${program}`);
  }
  return path;
}

/** What the program prints for `--version`. @throws KlusterError engine_missing when it does not run. */
export async function printedVersion(file: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(file, [...args], { timeout: versionDeadlineMs });
    return stdout.trim();
  } catch (error) {
    throw new KlusterError(
      'engine_missing',
      `${[file, ...args].join(' ')} does not run: ${errorText(error)}`,
      {
        cause: error,
      },
    );
  }
}
