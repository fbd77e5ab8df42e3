import type { ServerResponse } from 'node:http';
import type { AgentEvent } from '../core/agent-protocol.ts';
import type { Instances } from './instances.ts';
import { CpuMeter, readMemory } from './machine-load.ts';

const heartbeatMs = 500;
/** A listener that is this far behind is cut off; it connects again and is told everything by `hello`. */
const longestBacklogBytes = 1024 * 1024;

const line = (event: AgentEvent): string => `${JSON.stringify(event)}\n`;
const now = (): string => new Date().toISOString();

/** Tells every listener of every change the moment it happens, and of the machine's load twice a second. */
export class EventStreams {
  readonly #instances: Instances;
  readonly #listeners = new Set<ServerResponse>();
  readonly #meter = new CpuMeter();
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(instances: Instances) {
    this.#instances = instances;
    this.#unsubscribe = instances.subscribe((event) => {
      this.#send(line(event));
    });
    this.#timer = setInterval(() => void this.#heartbeat(), heartbeatMs);
  }

  add(listener: ServerResponse): void {
    listener.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    listener.socket?.setNoDelay(true);
    listener.on('close', () => this.#listeners.delete(listener));
    listener.write(line({ type: 'hello', at: now(), instances: this.#instances.list() }));
    this.#listeners.add(listener);
  }

  async #heartbeat(): Promise<void> {
    if (this.#listeners.size === 0) return;
    const cpuBusy = this.#meter.read();
    const { availableMemoryMb } = await readMemory();
    this.#send(line({ type: 'heartbeat', at: now(), cpuBusy, availableMemoryMb }));
  }

  #send(text: string): void {
    for (const listener of this.#listeners) {
      if (listener.writableLength > longestBacklogBytes) listener.destroy();
      else listener.write(text);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
    for (const listener of this.#listeners) listener.destroy();
  }
}
