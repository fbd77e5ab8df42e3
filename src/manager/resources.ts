/** What a server has opened, released in reverse order; a failing release does not keep the others from theirs. */
export class Resources {
  readonly #opened: { readonly name: string; readonly release: () => Promise<void> }[] = [];

  add(name: string, release: () => Promise<void>): void {
    this.#opened.push({ name, release });
  }

  /** @throws AggregateError naming what could not be released */
  async release(): Promise<void> {
    const failures: Error[] = [];
    for (const { name, release } of this.#opened.splice(0).toReversed()) {
      try {
        await release();
      } catch (error) {
        failures.push(new Error(`${name} could not be closed`, { cause: error }));
      }
    }
    if (failures.length > 0) {
      throw new AggregateError(failures, failures.map(({ message }) => message).join('; '));
    }
  }
}
