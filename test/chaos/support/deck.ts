import { Random } from './random.ts';

/** So many runs of some minutes meet every kind together. */
const runs = 3;

/**
 * The kinds one after another, for ever, as cards of a deck that is shuffled anew whenever it is used up: none comes up
 * again before all others have. Three seeds in a row, of which the first is a multiple of three, go through the same decks, and
 * begin at three places of them.
 */
export function* deck<Kind>(kinds: readonly Kind[], seed: number): Generator<Kind, never, undefined> {
  if (kinds.length === 0) throw new RangeError('nothing to choose from');
  const common = Math.floor(seed / runs);
  const first = Math.ceil((kinds.length * (seed - runs * common)) / runs);
  const random = new Random(common);
  for (;;) {
    const shuffled = random.shuffled(kinds);
    yield* [...shuffled.slice(first), ...shuffled.slice(0, first)];
  }
}

/** Those whose names contain one of the words; all when there are no words. @throws TypeError for a word in none of them */
export function chosen(names: readonly string[], words: readonly string[]): readonly string[] {
  for (const word of words) {
    if (word === '' || !names.some((name) => name.includes(word)))
      throw new TypeError(`--faults: no fault has "${word}" in its name; there are: ${names.join('; ')}`);
  }
  return words.length === 0 ? names : names.filter((name) => words.some((word) => name.includes(word)));
}

/** One line a kind, the most frequent first. */
export function tally(counts: ReadonlyMap<string, number>): readonly string[] {
  return [...counts]
    .toSorted(([, left], [, right]) => right - left)
    .map(([name, count]) => `${String(count).padStart(4)} × ${name}`);
}
