import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { directoriesOutside, socketDirectory } from '../../src/engines/socket-path.ts';
import { endProcess, leftProcesses } from './leftovers.ts';

/** Engines outlive their agents on purpose; those of a test end with it, and so does what they have outside of its directory. */
export async function endEngines(
  directory: string,
  machines: readonly { readonly dataDirectory: string }[],
): Promise<void> {
  for (const left of await leftProcesses({ id: directory, directory }, 0)) await endProcess(left);
  for (const { dataDirectory } of machines.filter((machine) => existsSync(machine.dataDirectory))) {
    for (const name of await readdir(dataDirectory)) {
      const home = join(dataDirectory, name);
      for (const outside of directoriesOutside(home, socketDirectory(home)))
        await rm(outside, { recursive: true, force: true });
    }
  }
}
