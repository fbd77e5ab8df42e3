import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, leftProcesses } from '../../test/support/leftovers.ts';
import { configureLoopback } from '../../test/support/loopback.ts';

const stopSignals = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs a benchmark in a directory of its own, with loopback addresses of its own. At the end, also when it fails or is
 * interrupted, every process that names the directory is ended, directory and addresses are removed, and then `last` is done.
 */
export async function withWorkspace(
  addresses: readonly string[],
  work: (directory: string) => Promise<void>,
  last: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kb-'));
  // Engines run as another user and must be able to pass through.
  await chmod(directory, 0o755);
  let unconfigure = (): Promise<void> => Promise.resolve();
  const clean = async (): Promise<void> => {
    for (const left of await leftProcesses({ id: directory, directory }, 0)) await endProcess(left);
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    await unconfigure();
    await last();
  };
  const interrupted = (): void => {
    process.exitCode = 130;
    void clean().finally(() => process.exit());
  };
  for (const name of stopSignals) process.once(name, interrupted);
  try {
    unconfigure = await configureLoopback(addresses);
    await work(directory);
  } finally {
    for (const name of stopSignals) process.removeListener(name, interrupted);
    await clean();
  }
}
