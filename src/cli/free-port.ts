import { createServer } from 'node:net';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { PortRange } from '../core/model.ts';

const lastPort = 65_535;

/** Whether a server could listen there now. Any address this machine does not have is an error, not "taken". */
function isFree(hostaddr: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if ('code' in error && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) resolve(false);
      else reject(error);
    });
    server.listen({ host: hostaddr, port, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** The first free port from `first` on that is not among `taken`. */
export async function freePort(
  hostaddr: string,
  first: number,
  taken: ReadonlySet<number> = new Set(),
): Promise<number> {
  for (let port = first; port <= lastPort; port += 1) {
    if (!taken.has(port) && (await isFree(hostaddr, port))) return port;
  }
  throw new KlusterError('port_busy', `no port from ${String(first)} on is free at ${hostaddr}`);
}

/** How many ports `up` looks at in a range before it calls the whole range free: nodes take them from the start. */
const probedPorts = 24;
const rangeStep = 1001;

/**
 * A range of ports like the wanted one, moved up until its beginning is free: another installation on this machine
 * fills its own range from the beginning.
 */
export async function freeRange(hostaddr: string, wanted: PortRange): Promise<PortRange> {
  for (let shift = 0; wanted.last + shift <= lastPort; shift += rangeStep) {
    const range = { first: wanted.first + shift, last: wanted.last + shift };
    if (await beginningIsFree(hostaddr, range)) return range;
  }
  return freeRangeBelow(hostaddr, wanted);
}

async function freeRangeBelow(hostaddr: string, wanted: PortRange): Promise<PortRange> {
  const lowest = 20_000;
  for (let first = wanted.first - rangeStep; first >= lowest; first -= rangeStep) {
    const range = { first, last: first + wanted.last - wanted.first };
    if (await beginningIsFree(hostaddr, range)) return range;
  }
  throw new KlusterError('port_busy', `no range of ports for nodes is free at ${hostaddr}`);
}

async function beginningIsFree(hostaddr: string, range: PortRange): Promise<boolean> {
  const last = Math.min(range.last, range.first + probedPorts);
  for (let port = range.first; port <= last; port += 1) {
    if (!(await isFree(hostaddr, port))) return false;
  }
  return true;
}
