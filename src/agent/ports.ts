import { createServer } from 'node:net';
import { KlusterError } from '../core/errors/kluster-error.ts';

type PortState = 'free' | 'busy' | 'no_such_address';

async function portState(hostaddr: string, port: number): Promise<PortState> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('busy');
      else if (error.code === 'EADDRNOTAVAIL') resolve('no_such_address');
      else reject(error);
    });
    server.listen({ host: hostaddr, port, exclusive: true }, () => {
      server.close(() => {
        resolve('free');
      });
    });
  });
}

/**
 * Those of the ports that cannot be bound, found out by binding each for a moment.
 * @throws KlusterError instance_start_failed when the address is not one of this machine.
 */
export async function busyPorts(hostaddr: string, ports: readonly number[]): Promise<readonly number[]> {
  const busy: number[] = [];
  for (const port of ports) {
    const state = await portState(hostaddr, port);
    if (state === 'busy') busy.push(port);
    if (state === 'no_such_address') {
      throw new KlusterError('instance_start_failed', `${hostaddr} is not an address of this machine`);
    }
  }
  return busy;
}

/** @throws KlusterError port_busy naming each port that is taken. */
export async function assertPortsFree(hostaddr: string, ports: readonly number[]): Promise<void> {
  const busy = await busyPorts(hostaddr, ports);
  if (busy.length > 0) {
    throw new KlusterError('port_busy', `On ${hostaddr} something listens on port ${busy.join(', ')}`);
  }
}
