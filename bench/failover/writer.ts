import { setTimeout as sleep } from 'node:timers/promises';

/** One client's way of writing a row; it opens a connection when it has none. */
export interface WriteTarget {
  /** Returns when the row was acknowledged. A call that is given up after its deadline must not be acknowledged later. */
  write(id: number): Promise<void>;
  close(): Promise<void>;
}

const pauseMs = 5;

/** Writes numbered rows one after another, every 5 ms, and remembers when which of them were acknowledged. */
export class Writer {
  readonly acknowledged: number[] = [];
  readonly #target: WriteTarget;
  #next: number;
  #lastAt = performance.now();
  #faultAt = Number.POSITIVE_INFINITY;
  #lastBefore = Number.NaN;
  #firstAfter: number | null = null;
  #stopped = false;
  readonly #running: Promise<void>;

  /** Rows are numbered from `first` on. */
  constructor(target: WriteTarget, first: number) {
    this.#target = target;
    this.#next = first;
    this.#running = this.#run();
  }

  /** To be called right before the fault is made. */
  markFault(): void {
    this.#lastBefore = this.#lastAt;
    this.#faultAt = performance.now();
    this.#firstAfter = null;
  }

  /**
   * Milliseconds from the last acknowledgement before the fault to the first one after it; null while there is none. A write under way when the
   * fault came may still be acknowledged by the old primary.
   */
  outageMs(): number | null {
    return this.#firstAfter === null ? null : this.#firstAfter - this.#lastBefore;
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
      await sleep(pauseMs);
    }
  }

  #acknowledge(id: number, begun: number): void {
    this.acknowledged.push(id);
    this.#lastAt = performance.now();
    if (begun < this.#faultAt) this.#lastBefore = this.#lastAt;
    else this.#firstAfter ??= this.#lastAt;
  }
}
