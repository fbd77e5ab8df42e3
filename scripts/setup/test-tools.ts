import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { aptInstall, hostPackagesLock, updateLists } from './host-packages.ts';
import { SetupError } from './report.ts';
import { whileLocked } from './setup-lock.ts';

/** Programs that only tests and measurements use, and the packages of Debian that have them. */
const tools = [
  { program: 'ip', packageName: 'iproute2' },
  { program: 'curl', packageName: 'curl' },
] as const;

/** Administrators' programs are not in everybody's PATH. */
const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

async function isThere(program: string): Promise<boolean> {
  for (const place of places) {
    const found = await access(join(place, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** The packages of the tools that this machine lacks. */
export async function missingTestTools(): Promise<readonly string[]> {
  const found = await Promise.all(tools.map(({ program }) => isThere(program)));
  return tools.filter((_, index) => found[index] === false).map(({ packageName }) => packageName);
}

export async function installTestTools(): Promise<string> {
  const missing = await missingTestTools();
  if (missing.length === 0) return 'there';
  if (process.getuid?.() !== 0) {
    throw new SetupError(
      `the tests need ${missing.join(' and ')}`,
      `An administrator has to run \`apt-get install ${missing.join(' ')}\`.`,
    );
  }
  await whileLocked(hostPackagesLock, async () => {
    await updateLists();
    await aptInstall(missing);
  });
  return `installed ${missing.join(' and ')}`;
}
