/** When which part of a short piece of work was done, counted from its start. */
export class PhaseClock {
  #startedAt = performance.now();
  readonly #marks: { readonly name: string; readonly ms: number }[] = [];

  /** Counts from now on. */
  start(): void {
    this.#startedAt = performance.now();
  }

  mark(name: string): void {
    this.#marks.push({ name, ms: Math.round(performance.now() - this.#startedAt) });
  }

  /** Milliseconds from the start until the last of these. */
  msUntil(names: readonly string[]): number {
    return Math.max(0, ...this.#marks.flatMap(({ name, ms }) => (names.includes(name) ? [ms] : [])));
  }

  /** E.g. `closed after 20 ms, recorded after 31 ms`. */
  text(): string {
    return this.#marks.map(({ name, ms }) => `${name} after ${String(ms)} ms`).join(', ');
  }
}
