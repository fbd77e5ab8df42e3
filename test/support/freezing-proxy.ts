import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { HostPort } from '../../src/core/model.ts';

/** In front of a server, which can be made to hang: connections stay open and are accepted, but nothing is said any more. */
export class FreezingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #frozen = false;

  private constructor(target: HostPort) {
    this.#server = createServer((client) => {
      const behind = connect({ host: target.hostaddr, port: target.port });
      this.#link(client, behind);
      this.#link(behind, client);
    });
  }

  static async start(target: HostPort): Promise<FreezingProxy> {
    const proxy = new FreezingProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get at(): HostPort {
    const { address, port } = this.#server.address() as AddressInfo;
    return { hostaddr: address, port };
  }

  /** From now on, and for good. */
  freeze(): void {
    this.#frozen = true;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #link(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (data) => {
      if (!this.#frozen) to.write(data);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      if (!this.#frozen) to.destroy();
    });
  }
}
