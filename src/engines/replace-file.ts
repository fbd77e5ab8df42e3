import { randomUUID } from 'node:crypto';
import { chown, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from './file-tree.ts';

/** Owner and mode of a file that is there already; otherwise ours, readable by nobody else. */
async function ownership(path: string): Promise<{ uid: number; gid: number; mode: number } | null> {
  return lstat(path).then(
    ({ uid, gid, mode }) => ({ uid, gid, mode: mode & 0o777 }),
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    },
  );
}

/** Writes a file so that after a crash it has either its old or its new content, whole and on disk. */
export async function replaceFile(
  path: string,
  content: string,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const before = await ownership(path);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', before?.mode ?? 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    const owned = owner ?? before;
    if (owned !== null && process.getuid?.() === 0) await chown(temporary, owned.uid, owned.gid);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}
