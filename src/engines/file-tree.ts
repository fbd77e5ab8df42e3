import { constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineUser } from './installation.ts';

interface Copy {
  readonly from: string;
  readonly to: string;
  readonly user: EngineUser;
  readonly signal: AbortSignal;
  /** A name at the top of the tree that is left out. */
  readonly skip?: string;
}

const copiesAtOnce = 8;

async function give(path: string, user: EngineUser): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, user.uid, user.gid);
}

/** Makes a directory that belongs to the engine user and that nobody else can enter. It must not exist. */
export async function makeOwnDirectory(path: string, user: EngineUser): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await give(path, user);
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function copyOne(from: string, to: string, user: EngineUser): Promise<void> {
  // Shares the blocks where the file system can (btrfs, XFS), copies where it cannot.
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const file = await open(to, 'r+');
  try {
    // Engines trust that what lies in a data directory is on disk: they only flush what they write themselves.
    await file.datasync();
  } finally {
    await file.close();
  }
  await chmod(to, (await lstat(from)).mode & 0o777);
  await give(to, user);
}

async function listTree(root: string, below = ''): Promise<{ directories: string[]; files: string[] }> {
  const directories: string[] = [];
  const files: string[] = [];
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) {
      const inner = await listTree(root, path);
      directories.push(path, ...inner.directories);
      files.push(...inner.files);
    } else if (entry.isFile()) {
      files.push(path);
    } else {
      throw new Error(`${join(root, path)} is neither a file nor a directory`);
    }
  }
  return { directories, files };
}

/** Copies a directory to a place where nothing is yet, durably, for the engine user. */
export async function copyTree({ from, to, user, signal, skip }: Copy): Promise<void> {
  const all = await listTree(from);
  const kept = (path: string): boolean => skip === undefined || path.split('/')[0] !== skip;
  const directories = all.directories.filter(kept);
  const files = all.files.filter(kept);
  await makeOwnDirectory(to, user);
  for (const directory of directories) await makeOwnDirectory(join(to, directory), user);
  const waiting = files.values();
  const worker = async (): Promise<void> => {
    for (const file of waiting) {
      signal.throwIfAborted();
      await copyOne(join(from, file), join(to, file), user);
    }
  };
  await Promise.all(Array.from({ length: copiesAtOnce }, worker));
  for (const directory of ['', ...directories]) await syncDirectory(join(to, directory));
}
