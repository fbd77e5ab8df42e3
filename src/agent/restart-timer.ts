import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from './backoff.ts';

/** When an instance whose process has ended is started again: later and later while it does not stay up. */
export class RestartTimer {
  readonly #restart: (cancelled: AbortSignal) => Promise<void>;
  readonly #backoff = new Backoff();
  #timer: AbortController | null = null;

  /** `cancelled`: a later order has come while it waited for its turn. */
  constructor(restart: (cancelled: AbortSignal) => Promise<void>) {
    this.#restart = restart;
  }

  get isPending(): boolean {
    return this.#timer !== null;
  }

  get isFailing(): boolean {
    return this.#backoff.failing;
  }

  /** Started on purpose: what was before does not count. */
  reset(): void {
    this.#backoff.reset();
  }

  /** After a run of so many milliseconds; null: the process asks for it itself, at once. */
  scheduleAfter(ranMs: number | null): void {
    this.#schedule(ranMs === null ? 0 : this.#backoff.next(ranMs));
  }

  /** What had kept it from starting may be over. */
  hurry(): void {
    if (!this.isPending) return;
    this.#backoff.reset();
    this.#schedule(0);
  }

  cancel(): void {
    this.#timer?.abort();
    this.#timer = null;
  }

  /** The restart has begun. */
  begun(): void {
    this.#timer = null;
  }

  #schedule(delayMs: number): void {
    this.cancel();
    const timer = new AbortController();
    this.#timer = timer;
    void sleep(delayMs, undefined, { signal: timer.signal }).then(
      () => this.#restart(timer.signal),
      () => undefined,
    );
  }
}
