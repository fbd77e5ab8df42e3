import { describe, expect, it } from 'vitest';
import { chosen, deck, tally } from '../../chaos/support/deck.ts';

const kinds = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const draw = (seed: number, count: number): string[] => {
  const cards = deck(kinds, seed);
  return Array.from({ length: count }, () => cards.next().value);
};

describe('the faults of a run', () => {
  it('follow from the seed alone', () => {
    expect(draw(4, 20)).toEqual(draw(4, 20));
    expect(draw(4, 20)).not.toEqual(draw(6, 20));
  });

  it('come up again only after all others have', () => {
    const drawn = draw(3, 3 * kinds.length);
    for (const from of [0, kinds.length, 2 * kinds.length])
      expect(drawn.slice(from, from + kinds.length).toSorted()).toEqual(kinds);
  });

  it('are all met by three seeds that each get through a third', () => {
    for (const seed of [0, 3, 9, 300]) {
      const drawn = [seed, seed + 1, seed + 2].flatMap((one) => draw(one, 3));
      expect([...new Set(drawn)].toSorted()).toEqual(kinds);
    }
  });

  it('cannot be chosen of none', () => {
    expect(() => deck([], 1).next()).toThrow(RangeError);
  });

  it('are those that contain a word, and a word in none is refused', () => {
    const names = ['fill the disk', 'freeze the disk', 'kill'];
    expect(chosen(names, [])).toEqual(names);
    expect(chosen(names, ['disk'])).toEqual(['fill the disk', 'freeze the disk']);
    expect(chosen(names, ['kill', 'fill'])).toEqual(['fill the disk', 'kill']);
    expect(() => chosen(names, ['disc'])).toThrow(/"disc"/u);
    expect(() => chosen(names, [''])).toThrow(TypeError);
  });

  it('are counted in the end', () => {
    const counts = new Map([
      ['kill', 1],
      ['pause', 12],
      ['cut', 0],
    ]);
    expect(tally(counts)).toEqual(['  12 × pause', '   1 × kill', '   0 × cut']);
  });
});
