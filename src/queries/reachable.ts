import { connect } from 'node:net';
import type { HostPort } from '../core/model.ts';

const connectDeadlineMs = 1000;

/** Whether something listens at an address. */
export function isListening({ hostaddr, port }: HostPort, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: hostaddr, port, timeout: connectDeadlineMs, signal });
    const finish = (listening: boolean): void => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}
