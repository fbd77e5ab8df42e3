import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { GatheredRead } from '../../../src/catalog/gathered-read.ts';

const never = new AbortController().signal;

/** Reads that end when they are told to; each gives the number that `now` has when it begins. */
class Source {
  now = 1;
  readonly reads: (readonly string[])[] = [];
  readonly #ends: ((error?: Error) => void)[] = [];
  readonly read = async (keys: readonly string[]): Promise<ReadonlyMap<string, number>> => {
    const found = new Map(keys.filter((key) => key !== 'unknown').map((key) => [key, this.now] as const));
    this.reads.push(keys);
    await new Promise<void>((resolve, reject) => {
      this.#ends.push((error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
    return found;
  };

  async end(error?: Error): Promise<void> {
    await expect.poll(() => this.#ends).not.toHaveLength(0);
    this.#ends.shift()?.(error);
  }
}

it('reads once for all who ask at the same time', async () => {
  const source = new Source();
  const gathered = new GatheredRead(10_000, source.read);
  const answers = Promise.all(['a', 'b', 'a', 'unknown'].map((key) => gathered.get(key, never)));
  await source.end();
  expect(await answers).toEqual([1, 1, 1, undefined]);
  expect(source.reads).toEqual([['a', 'b', 'unknown']]);
});

it('never gives what was read before the question', async () => {
  const source = new Source();
  const gathered = new GatheredRead(10_000, source.read);
  const first = gathered.get('a', never);
  await expect.poll(() => source.reads).toHaveLength(1);
  source.now = 2;
  const later = [gathered.get('a', never), gathered.get('b', never)];
  await source.end();
  expect(await first).toBe(1);
  await source.end();
  expect(await Promise.all(later)).toEqual([2, 2]);
  expect(source.reads).toEqual([['a'], ['a', 'b']]);
});

it('goes on after a read that failed, and after one that somebody did not wait for', async () => {
  const source = new Source();
  const gathered = new GatheredRead(10_000, source.read);
  const impatient = new AbortController();
  const answers = [gathered.get('a', never), gathered.get('b', impatient.signal)].map((answer) =>
    answer.catch((error: unknown) => error),
  );
  await expect.poll(() => source.reads).toHaveLength(1);
  const next = gathered.get('c', never);
  impatient.abort(new Error('enough'));
  expect(await answers[1]).toMatchObject({ message: 'enough' });
  await source.end(new Error('no answer'));
  expect(await answers[0]).toMatchObject({ message: 'no answer' });
  await source.end();
  expect(await next).toBe(1);
});

it('ends a read that takes too long', async () => {
  const gathered = new GatheredRead(20, async (keys: readonly string[], signal) => {
    if (keys.includes('slow')) await sleep(60_000, undefined, { signal });
    return new Map(keys.map((key) => [key, 1] as const));
  });
  await expect(gathered.get('slow', never)).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(await gathered.get('quick', never)).toBe(1);
});
