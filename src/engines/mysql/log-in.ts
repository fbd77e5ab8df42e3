import { createConnection, type ConnectionOptions } from 'mysql2';
import type { Connection } from 'mysql2/promise';

/**
 * Opens a connection and logs in. Not with the driver's own promise, which listens for the first error only: a server that
 * closes the connection during the handshake makes two (the end, then the failed shutdown of the socket), and an error
 * that nobody listens for ends the process.
 */
export function logIn(options: ConnectionOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(options);
    connection.on('error', reject);
    connection.once('connect', () => {
      resolve(connection.promise());
    });
  });
}
