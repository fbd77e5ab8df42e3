import type { JobEvent } from './job-event.ts';

/** Events kept in memory per unfinished job; who is further behind reads the database. */
const tailLength = 1000;

/** The latest stored events of one unfinished job, and a bell for those who wait for more. */
export class JobFeed {
  readonly #tail: JobEvent[] = [];
  /** Sequence of the event just before the tail. */
  #before: number;
  #closed = false;
  readonly #bells = new Set<() => void>();

  constructor(lastSequence: number) {
    this.#before = lastSequence;
  }

  get closed(): boolean {
    return this.#closed;
  }

  publish(events: readonly JobEvent[]): void {
    this.#tail.push(...events);
    const surplus = this.#tail.splice(0, Math.max(0, this.#tail.length - tailLength));
    this.#before = surplus.at(-1)?.sequence ?? this.#before;
    this.#ring();
  }

  /** No more events will come. */
  close(): void {
    this.#closed = true;
    this.#ring();
  }

  /** The events after the given one; undefined when the memory does not reach back that far. */
  after(sequence: number): readonly JobEvent[] | undefined {
    return sequence < this.#before ? undefined : this.#tail.slice(sequence - this.#before);
  }

  /** Resolves at the next event, at the end, or when the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return;
    let bell: (() => void) | undefined;
    try {
      await new Promise<void>((resolve) => {
        bell = resolve;
        this.#bells.add(bell);
        signal.addEventListener('abort', bell, { once: true });
      });
    } finally {
      if (bell !== undefined) {
        this.#bells.delete(bell);
        signal.removeEventListener('abort', bell);
      }
    }
  }

  #ring(): void {
    for (const bell of this.#bells) bell();
  }
}
