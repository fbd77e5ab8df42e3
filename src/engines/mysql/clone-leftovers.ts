import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Lists of files that a finished clone puts in place at the next start; gone when that is done. */
const pendingLists: ReadonlySet<string> = new Set(['#replace_files', '#old_files', '#new_files']);

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
}

/**
 * Removes the doublewrite files of a node whose data a clone has just replaced; returns whether there was need.
 *
 * Clone leaves the recipient's doublewrite files as they were. At the next crash recovery the server finds pages of
 * the old data in them whose log sequence numbers are higher than those of the new data, and takes them for the newer
 * ones: the node is corrupt ("log sequence number is in the future", failed assertions). Observed with MySQL 9.7.4 on
 * every second clone into one node followed by a kill, and never with innodb_doublewrite=OFF. The files protect
 * pages that were being written when the server ended; of the cloned pages none was, and the server makes new files.
 */
export async function dropStaleDoublewrite(dataDirectory: string): Promise<boolean> {
  const state = await namesIn(join(dataDirectory, '#clone'));
  if (!state.some((name) => pendingLists.has(name))) return false;
  const stale = (await namesIn(dataDirectory)).filter((name) => /^#ib_.*\.b?dblwr$/.test(name));
  for (const name of stale) await rm(join(dataDirectory, name));
  return true;
}
