import { join, relative } from 'node:path';
import type { StrayProcess } from '../core/agent-protocol.ts';
import { findBelow } from '../engines/process-identity.ts';
import type { OwnedDirectories } from './instance-directories.ts';

/** Engine processes of the user that use a directory directly below `base` which no instance owns. */
export function strayProcesses(
  base: string,
  owned: readonly OwnedDirectories[],
  uid: number,
): readonly StrayProcess[] {
  const directories = new Set(owned.flatMap((instance) => instance.directories));
  return findBelow(base, uid).flatMap(({ pid, path }) => {
    const [name = ''] = relative(base, path).split('/');
    const directory = join(base, name);
    return directories.has(directory) ? [] : [{ pid, directory }];
  });
}
