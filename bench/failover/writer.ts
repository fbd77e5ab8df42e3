import { setTimeout as sleep } from 'node:timers/promises';

/** One client's way of writing a row; it opens a connection when it has none. */
export interface WriteTarget {
  /** Returns when the row was acknowledged. A call that is given up after its deadline must not be acknowledged later. */
  write(id: number): Promise<void>;
  close(): Promise<void>;
}

const pauseMs = 5;
const lookMs = 20;

/** Writes numbered rows one after another, every 5 ms, and remembers when which of them were acknowledged. */
export class Writer {
  readonly acknowledged: number[] = [];
  /** Writes that ended with an error. */
  failed = 0;
  readonly #target: WriteTarget;
  readonly #times: number[] = [];
  #next: number;
  #begunOfLast = Number.NEGATIVE_INFINITY;
  #stopped = false;
  readonly #running: Promise<void>;

  /** Rows are numbered from `first` on. */
  constructor(target: WriteTarget, first: number) {
    this.#target = target;
    this.#next = first;
    this.#running = this.#run();
  }

  /** Resolves when a write was acknowledged that began after this call; rejects when none is within so many milliseconds. */
  async untilWritten(milliseconds: number): Promise<void> {
    const since = performance.now();
    while (this.#begunOfLast <= since) {
      if (performance.now() > since + milliseconds) {
        throw new Error(`nothing was acknowledged within ${String(milliseconds)} ms`);
      }
      await sleep(lookMs);
    }
  }

  /** The longest time between two acknowledgements one after the other, in milliseconds, if it ended after `from`. */
  longestGapMs(from: number): number {
    const gaps = this.#times.map((at, index) =>
      at < from || index === 0 ? 0 : at - (this.#times[index - 1] ?? at),
    );
    return Math.max(0, ...gaps);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await this.#target.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const id = this.#next++;
      const begun = performance.now();
      const done = await this.#target.write(id).then(
        () => true,
        () => false,
      );
      if (done) this.#acknowledge(id, begun);
      else this.failed += 1;
      await sleep(pauseMs);
    }
  }

  #acknowledge(id: number, begun: number): void {
    this.acknowledged.push(id);
    this.#times.push(performance.now());
    this.#begunOfLast = begun;
  }
}
