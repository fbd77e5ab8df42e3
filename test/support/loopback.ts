import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Configures loopback addresses on the loopback interface: group replication accepts a local address only when an
 * interface has it, although Linux answers on all of 127.0.0.0/8. Returns the way to take them away again.
 */
export async function configureLoopback(addresses: readonly string[]): Promise<() => Promise<void>> {
  const added: string[] = [];
  for (const address of addresses) {
    if (await isConfigured(address)) continue;
    await run('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
    added.push(address);
  }
  return async () => {
    for (const address of added) await run('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo']);
  };
}

async function isConfigured(address: string): Promise<boolean> {
  const { stdout } = await run('ip', ['-oneline', 'address', 'show', 'dev', 'lo', 'to', `${address}/32`]);
  return stdout.trim() !== '';
}
