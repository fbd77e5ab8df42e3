/** Delays between automatic restarts: they double, and begin anew after a stable run. Pure but for its count. */
export class Backoff {
  #failures = 0;

  static readonly firstDelayMs = 250;
  static readonly maximumDelayMs = 60_000;
  /** A run of at least this long counts as stable. */
  static readonly stableMs = 60_000;
  /** From this many ends in a row an instance is called failed, though it is still tried again. */
  static readonly failedFrom = 5;

  /** Delay before the next start, after a run of `ranMs`. */
  next(ranMs: number): number {
    if (ranMs >= Backoff.stableMs) this.#failures = 0;
    this.#failures += 1;
    return Math.min(Backoff.firstDelayMs * 2 ** (this.#failures - 1), Backoff.maximumDelayMs);
  }

  get failing(): boolean {
    return this.#failures >= Backoff.failedFrom;
  }

  reset(): void {
    this.#failures = 0;
  }
}
