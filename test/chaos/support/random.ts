import { createHash } from 'node:crypto';

/** Numbers that look random and follow from the seed alone: a hash of the seed and a counter. */
export class Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 0 ≤ x < 1 */
  next(): number {
    const text = `${String(this.#seed)} ${String(this.#drawn++)}`;
    return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(first: number, last: number): number {
    return first + Math.floor(this.next() * (last - first + 1));
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new RangeError('nothing to choose from');
    return item;
  }

  shuffled<Item>(items: readonly Item[]): readonly Item[] {
    return items
      .map((item) => ({ item, at: this.next() }))
      .toSorted((left, right) => left.at - right.at)
      .map(({ item }) => item);
  }
}
