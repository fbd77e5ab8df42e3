/**
 * How long each prepared branch has been seen. MySQL does not tell when a branch was prepared, and its name only when its
 * transaction began; so age is what this manager has witnessed.
 */
export class BranchAges {
  readonly #firstSeen = new Map<string, number>();

  /** Notes what is prepared at the time `now` (milliseconds, monotonic). @returns the age of each */
  see(names: readonly string[], now: number): ReadonlyMap<string, number> {
    const present = new Set(names);
    for (const name of this.#firstSeen.keys()) if (!present.has(name)) this.#firstSeen.delete(name);
    for (const name of present) if (!this.#firstSeen.has(name)) this.#firstSeen.set(name, now);
    return new Map(names.map((name) => [name, now - (this.#firstSeen.get(name) ?? now)]));
  }
}
