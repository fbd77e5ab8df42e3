import { mkdir, statfs } from 'node:fs/promises';
import type { PathSpace } from '../core/agent-protocol.ts';

const mebibyte = 1024 * 1024;

/** Space of the file system that holds the path; available is what an unprivileged process may still take. */
export async function pathSpace(path: string): Promise<PathSpace> {
  const { blocks, bfree, bavail, bsize } = await statfs(path);
  const megabytes = (count: number): number => Math.floor((count * bsize) / mebibyte);
  return {
    path,
    totalMb: megabytes(blocks),
    usedMb: megabytes(blocks - bfree),
    availableMb: megabytes(bavail),
  };
}

/** The same for paths that are made when they are missing. */
export async function preparedPathSpaces(paths: readonly string[]): Promise<readonly PathSpace[]> {
  for (const path of paths) await mkdir(path, { recursive: true });
  return Promise.all(paths.map((path) => pathSpace(path)));
}
