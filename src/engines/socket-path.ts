import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** sun_path of unix(7) holds 108 bytes with the final zero; PostgreSQL appends its file name and `.lock`. */
const longestDirectory = 107 - '/.s.PGSQL.65535.lock'.length;

/**
 * The directory for the sockets of an instance: inside its data directory, or, when that path is too long for a
 * socket, one of the instance's own among the temporary files.
 */
export function socketDirectory(instanceDirectory: string): string {
  const inside = join(instanceDirectory, 'run');
  if (Buffer.byteLength(inside) <= longestDirectory) return inside;
  const name = createHash('sha256').update(instanceDirectory).digest('hex').slice(0, 16);
  return join(tmpdir(), `kluster-run-${name}`);
}

/** What `socketDirectory` adds to the directories that an instance owns. */
export function directoriesOutside(instanceDirectory: string, sockets: string): readonly string[] {
  return sockets.startsWith(`${instanceDirectory}/`) ? [] : [sockets];
}
