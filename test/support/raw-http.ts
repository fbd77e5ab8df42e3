import { connect, type Socket } from 'node:net';

/** Sends bytes as they are and gives everything that comes back until the server closes or `until` says enough. */
export async function rawExchange(
  port: number,
  bytes: string | Buffer,
  until: (received: string) => boolean = () => false,
): Promise<string> {
  const socket: Socket = connect({ host: '127.0.5.1', port });
  let received = '';
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no end of the reply; received: ${received}`)), 10_000);
      const finish = (): void => {
        clearTimeout(timer);
        resolve();
      };
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        if (until(received)) finish();
      });
      socket.on('end', finish);
      socket.on('error', reject);
      socket.write(bytes);
    });
  } finally {
    socket.destroy();
  }
  return received;
}

export const bodyOf = (response: string): string => response.slice(response.indexOf('\r\n\r\n') + 4);
