/** Remembers since when something has been so without a break. */
export class Since {
  #since: number | null = null;

  /** The outcome of a look that began at `lookedAt` (performance.now()). @returns for how many milliseconds it has been so; 0 when it is not */
  note(holds: boolean, lookedAt: number): number {
    if (!holds) {
      this.#since = null;
      return 0;
    }
    this.#since ??= lookedAt;
    return performance.now() - this.#since;
  }
}
