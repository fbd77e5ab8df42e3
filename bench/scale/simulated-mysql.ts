import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { firstSqlPort, nodesPerAgent, type Layout, type NodePlace } from './layout.ts';
import { answerOf } from './mysql-answers.ts';
import { fastLogin, greeting, ok, packets, prepared, refusal, resultSet } from './mysql-packets.ts';

const command = { quit: 1, query: 3, prepare: 0x16, execute: 0x17, close: 0x19 } as const;
const headerBytes = 4;

/** The MySQL servers of all machines: TLS, login and the statements of the manager's looks, with answers that never change. */
export class SimulatedMysql {
  /** Nodes whose process has ended. */
  readonly silent = new Set<number>();
  readonly unknown = new Set<string>();
  /** When a node of a shard was asked first, of shards that somebody wants to know it of. */
  readonly asked = new Map<number, number | null>();
  logins = 0;
  statements = 0;
  readonly #layout: Layout;
  readonly #context: SecureContext;
  readonly #places: ReadonlyMap<string, NodePlace>;

  constructor(layout: Layout, tls: { readonly certificate: string; readonly key: string }) {
    this.#layout = layout;
    this.#context = createSecureContext({ cert: tls.certificate, key: tls.key });
    this.#places = new Map(layout.all().map((place) => [`${place.hostaddr}:${String(place.port)}`, place]));
  }

  async listen(): Promise<void> {
    for (let port = firstSqlPort; port < firstSqlPort + nodesPerAgent; port += 1) {
      const server = createServer({ noDelay: true }, (socket) => {
        this.#accept(socket);
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host: '0.0.0.0', backlog: 8192 }, resolve);
      });
    }
  }

  #accept(socket: Socket): void {
    const place = this.#places.get(`${socket.localAddress ?? ''}:${String(socket.localPort ?? 0)}`);
    socket.on('error', () => socket.destroy());
    if (place !== undefined && this.asked.get(place.shard) === null) this.asked.set(place.shard, Date.now());
    if (place === undefined || this.silent.has(place.node)) {
      socket.destroy();
      return;
    }
    socket.write(packets(0, [greeting(1)]));
    socket.once('data', (chunk) => {
      // The client asks for TLS, and may have begun it already.
      socket.pause();
      const length = headerBytes + chunk.readUIntLE(0, 3);
      if (chunk.length > length) socket.unshift(chunk.subarray(length));
      const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#context });
      secure.on('error', () => socket.destroy());
      this.#serve(secure, place);
    });
  }

  #serve(socket: TLSSocket, place: NodePlace): void {
    const statements: string[] = [];
    let loggedIn = false;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= headerBytes && rest.length >= headerBytes + rest.readUIntLE(0, 3)) {
        const end = headerBytes + rest.readUIntLE(0, 3);
        const sequence = rest.readUInt8(3);
        const payload = rest.subarray(headerBytes, end);
        rest = rest.subarray(end);
        if (loggedIn) this.#answer(socket, { place, statements, payload });
        else {
          loggedIn = true;
          this.logins += 1;
          socket.write(packets(sequence + 1, [fastLogin, ok]));
        }
      }
    });
  }

  #answer(
    socket: TLSSocket,
    { place, statements, payload }: { place: NodePlace; statements: string[]; payload: Buffer },
  ): void {
    const code = payload.readUInt8(0);
    if (code === command.quit) socket.end();
    if (code === command.quit || code === command.close) return;
    const isExecution = code === command.execute;
    const text = isExecution ? (statements[payload.readUInt32LE(1) - 1] ?? '') : payload.toString('utf8', 1);
    const result = answerOf(this.#layout, place, text);
    if (result === undefined) {
      this.unknown.add(text);
      socket.write(packets(1, [refusal('a simulated server does not know this statement')]));
    } else if (code === command.prepare) {
      const parameters = text.split('?').length - 1;
      socket.write(packets(1, prepared(statements.push(text), parameters, result.columns)));
    } else {
      this.statements += 1;
      socket.write(packets(1, resultSet(result, isExecution)));
    }
  }
}
