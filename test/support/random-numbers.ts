/** A source of numbers that gives the same ones for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Whatever is drawn from random numbers follows from the seed alone. */
export abstract class Drawing {
  protected readonly random: () => number;

  constructor(seed: number) {
    this.random = randomNumbers(seed);
  }

  protected maybe(probability: number): boolean {
    return this.random() < probability;
  }

  protected pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.random() * from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }
}
