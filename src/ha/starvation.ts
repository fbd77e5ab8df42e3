/** Remembers since when a shard's primary has had too few acknowledging replicas. */
export class Starvation {
  #since: number | null = null;

  /** The outcome of a look. @returns for how many milliseconds it has been so; 0 when it is not */
  note(starved: boolean): number {
    if (!starved) {
      this.#since = null;
      return 0;
    }
    this.#since ??= performance.now();
    return performance.now() - this.#since;
  }
}
