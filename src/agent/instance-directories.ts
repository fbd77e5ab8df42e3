import { lstat, mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { InstanceId } from '../core/ids.ts';
import { makeOwnDirectory, syncDirectory } from '../engines/file-tree.ts';
import type { EngineUser } from '../engines/installation.ts';

/** In every directory of an instance; holds the token of the record. */
const markerFile = '.kluster-instance';

export interface OwnedDirectories {
  readonly instanceId: InstanceId;
  readonly directories: readonly string[];
  /** Drawn once per instance. */
  readonly token: string;
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

async function readMarker(directory: string): Promise<string | null> {
  return readFile(join(directory, markerFile), 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  });
}

async function mark(directory: string, token: string): Promise<void> {
  const file = await open(join(directory, markerFile), 'wx', 0o600);
  try {
    await file.writeFile(token);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectory(directory);
}

/**
 * The name under which a directory is made and marked, and under which it is emptied. Under its own name it therefore
 * always carries its marker, whenever the agent may end.
 */
function privateName(directory: string, token: string): string {
  return join(dirname(directory), `.${basename(directory)}.${token}`);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    },
  );
}

async function makeOne(directory: string, owned: OwnedDirectories, user: EngineUser): Promise<void> {
  if (await exists(directory)) {
    throw new KlusterError(
      'instance_conflict',
      `${directory} exists already and was not made for instance ${owned.instanceId}`,
    );
  }
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true });
  const making = privateName(directory, owned.token);
  await makeOwnDirectory(making, user);
  await mark(making, owned.token);
  await rename(making, directory);
  await syncDirectory(parent);
}

/** Makes the directories and marks them. @throws KlusterError instance_conflict when one exists. */
export async function makeDirectories(owned: OwnedDirectories, user: EngineUser): Promise<void> {
  for (const directory of owned.directories) await makeOne(directory, owned, user);
}

const privatePattern = /^\.(.+)\.([0-9a-f-]{36})$/;

/** Directories directly below `base` that some agent made for an instance, but for none of those that are owned. */
export async function strayDirectories(
  base: string,
  owned: readonly OwnedDirectories[],
): Promise<readonly string[]> {
  const tokens = new Set(owned.map(({ token }) => token));
  const names = await readdir(base).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  const strays: string[] = [];
  for (const name of names) {
    const path = join(base, name);
    const token = (await readMarker(path)) ?? privatePattern.exec(name)?.[2];
    if (token !== undefined && !tokens.has(token)) strays.push(path);
  }
  return strays;
}

/**
 * Removes what the instance made. Returns directories of its names that it did not make, which are left alone.
 */
export async function removeDirectories(owned: OwnedDirectories): Promise<readonly string[]> {
  const foreign: string[] = [];
  for (const directory of owned.directories) {
    const aside = privateName(directory, owned.token);
    await rm(aside, { recursive: true, force: true });
    if ((await readMarker(directory)) === owned.token) {
      await rename(directory, aside);
      await rm(aside, { recursive: true, force: true });
    } else if (await exists(directory)) {
      foreign.push(directory);
    }
  }
  return foreign;
}
