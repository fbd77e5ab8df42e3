import { connect, type Socket } from 'node:net';
import { hostaddr, type LoadOrder, type LoadResult } from './protocol.ts';

/**
 * The load generator: keep-alive connections that each send the next request when the reply is complete. It speaks
 * just enough HTTP on plain sockets, so that the server and not the client is what is measured.
 */
const headerEnd = Buffer.from('\r\n\r\n');

function bodyLength(header: string): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(header)?.[1];
  if (length === undefined) throw new Error(`a reply without a length: ${header}`);
  return Number(length);
}

class Connection {
  readonly latencies: number[] = [];
  errors = 0;
  private readonly socket: Socket;
  private readonly request: Buffer;
  private readonly expected: Buffer;
  private received: Buffer = Buffer.alloc(0);
  private sentAt = 0;
  private stopping = false;

  constructor(order: LoadOrder) {
    this.request = Buffer.from(
      `POST ${order.path} HTTP/1.1\r\nHost: ${hostaddr}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${String(Buffer.byteLength(order.body))}\r\n\r\n${order.body}`,
    );
    this.expected = Buffer.from(order.expect);
    this.socket = connect({ host: hostaddr, port: order.port, noDelay: true });
  }

  /** Runs until `stop`, and through the reply that is under way then. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.on('connect', () => this.send());
      this.socket.on('error', reject);
      this.socket.on('close', () => resolve());
      this.socket.on('data', (chunk) => {
        this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
        this.takeReply();
      });
    });
  }

  stop(): void {
    this.stopping = true;
  }

  private send(): void {
    this.sentAt = performance.now();
    this.socket.write(this.request);
  }

  private takeReply(): void {
    const end = this.received.indexOf(headerEnd);
    if (end === -1) return;
    const total = end + headerEnd.length + bodyLength(this.received.toString('latin1', 0, end));
    if (this.received.length < total) return;
    this.latencies.push(performance.now() - this.sentAt);
    if (!this.received.includes(this.expected, end)) this.errors += 1;
    this.received = Buffer.alloc(0);
    if (this.stopping) this.socket.end();
    else this.send();
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function load(order: LoadOrder): Promise<LoadResult> {
  const connections = Array.from({ length: order.connections }, () => new Connection(order));
  const start = performance.now();
  setTimeout(() => {
    for (const connection of connections) connection.stop();
  }, order.milliseconds);
  await Promise.all(connections.map((connection) => connection.run()));
  const seconds = (performance.now() - start) / 1000;
  const latencies = connections
    .flatMap((connection) => connection.latencies)
    .sort((one, other) => one - other);
  return {
    requests: latencies.length,
    errors: connections.reduce((sum, { errors }) => sum + errors, 0),
    seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

process.on('message', (order: LoadOrder) => {
  load(order).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
