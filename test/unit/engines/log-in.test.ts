import { createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { logIn } from '../../../src/engines/mysql/log-in.ts';

const host = '127.0.22.250';

/** A server that treats every connection in the same way; resolves to its port. */
async function listen(treat: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    treat(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address.port;
}

/** A handshake packet of protocol 10 that offers TLS. */
const greeting = packet(
  Buffer.concat([
    Buffer.from('\n9.7.0\0'),
    Buffer.from([1, 0, 0, 0]),
    Buffer.alloc(8, 0x61),
    // Filler, capabilities (protocol 4.1, TLS, secure connection, plugin authentication), charset, status.
    Buffer.from([0, 0x01, 0xaa, 0xff, 2, 0, 0x08, 0, 21]),
    Buffer.alloc(10),
    Buffer.alloc(12, 0x62),
    Buffer.from('\0caching_sha2_password\0'),
  ]),
);

function packet(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]);
}

/** Greets, waits for the client's wish for TLS, then does something else than a TLS handshake. */
const afterTlsRequest =
  (treat: (socket: Socket) => void) =>
  (socket: Socket): void => {
    socket.write(greeting);
    socket.once('data', () => treat(socket));
  };

/** What nobody listened for until the end of the test. */
function uncaughtErrors(): readonly unknown[] {
  const unheard: unknown[] = [];
  const listener = (error: unknown): void => {
    unheard.push(error);
  };
  process.on('uncaughtException', listener);
  onTestFinished(() => {
    process.off('uncaughtException', listener);
  });
  return unheard;
}

describe('a server that breaks the connection while somebody logs in', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['closes at once', (socket) => socket.destroy()],
    ['resets at once', (socket) => socket.resetAndDestroy()],
    ['says goodbye at once', (socket) => socket.end()],
    [
      'resets after half a greeting',
      (socket) => socket.write(greeting.subarray(0, 7), () => socket.resetAndDestroy()),
    ],
    [
      'closes after half a greeting',
      (socket) => socket.write(greeting.subarray(0, 7), () => socket.destroy()),
    ],
    ['closes instead of TLS', afterTlsRequest((socket) => socket.destroy())],
    ['resets instead of TLS', afterTlsRequest((socket) => socket.resetAndDestroy())],
    ['says goodbye instead of TLS', afterTlsRequest((socket) => socket.end())],
    ['resets a moment later', afterTlsRequest((socket) => setTimeout(() => socket.resetAndDestroy(), 5))],
  ])('%s: the caller gets an error, and nobody else', async (_, treat) => {
    const port = await listen(treat);
    const unheard = uncaughtErrors();
    const attempts = Array.from({ length: 5 }, () =>
      withMysql(
        { hostaddr: host, port, user: 'nobody', password: 'x' },
        AbortSignal.timeout(5000),
        (session) => session.query('SELECT 1'),
      ),
    );
    const results = await Promise.allSettled(attempts);
    expect(results.map(({ status }) => status)).toEqual(attempts.map(() => 'rejected'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(unheard).toEqual([]);
  });
});

it('a connection that fails twice during the login is one error', async () => {
  const unheard = uncaughtErrors();
  const stream = new Duplex({
    autoDestroy: false,
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
    // What the kernel says about ending a connection that is gone already.
    final: (done) => done(new Error('shutdown EINVAL')),
  });
  const login = logIn({ stream: () => stream, user: 'nobody' });
  stream.emit('close');
  await expect(login).rejects.toThrow('Connection lost');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(unheard).toEqual([]);
});
