import { connect, isIP } from 'node:net';
import type { HostPort } from '../core/model.ts';

/** A neighbour in the same network answers in a millisecond; a lost packet is sent again after a second. */
const reachMs = 1500;

function takesConnection(hostaddr: string, target: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: target.hostaddr,
      port: target.port,
      timeout: reachMs,
      ...(isIP(hostaddr) === 0 ? {} : { localAddress: hostaddr }),
    });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => {
      settle(true);
    });
    socket.once('timeout', () => {
      settle(false);
    });
    socket.once('error', () => {
      settle(false);
    });
  });
}

/** Those of the servers that take a connection from this machine, found out by opening one to each at the same time. */
export async function reached(hostaddr: string, targets: readonly HostPort[]): Promise<readonly HostPort[]> {
  const answers = await Promise.all(targets.map((target) => takesConnection(hostaddr, target)));
  return targets.filter((_target, index) => answers[index] === true);
}
