import { withDeadline } from '../core/abort.ts';

interface Gathering<Key, Value> {
  readonly keys: Set<Key>;
  readonly result: Promise<ReadonlyMap<Key, Value>>;
}

/**
 * One read for all who ask at the same time. Who asks while a read is under way gets what the next one finds, so what
 * anybody gets is never older than the question; and however many ask, one read at a time is under way.
 */
export class GatheredRead<Key, Value> {
  readonly #read: (keys: readonly Key[], signal: AbortSignal) => Promise<ReadonlyMap<Key, Value>>;
  readonly #deadlineMs: number;
  #last: Promise<unknown> = Promise.resolve();
  /** Has not begun yet. */
  #next: Gathering<Key, Value> | null = null;

  /** What `read` does not find it leaves out. `deadlineMs`: of one read. */
  constructor(
    deadlineMs: number,
    read: (keys: readonly Key[], signal: AbortSignal) => Promise<ReadonlyMap<Key, Value>>,
  ) {
    this.#deadlineMs = deadlineMs;
    this.#read = read;
  }

  /** Undefined when there is no such thing. */
  async get(key: Key, signal: AbortSignal): Promise<Value | undefined> {
    signal.throwIfAborted();
    const { keys, result } = (this.#next ??= this.#gather());
    keys.add(key);
    // The one under way, then its own.
    return withDeadline(2 * this.#deadlineMs, signal, async () => (await result).get(key));
  }

  #gather(): Gathering<Key, Value> {
    const keys = new Set<Key>();
    const result = this.#last.then(() => {
      this.#next = null;
      // Not under the signal of one who asks: the others wait for it as well.
      return withDeadline(this.#deadlineMs, undefined, (signal) => this.#read([...keys], signal));
    });
    const ignored = (): undefined => undefined;
    this.#last = result.then(ignored, ignored);
    return { keys, result };
  }
}
