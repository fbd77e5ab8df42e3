import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { WatchLoop, type Look, type WatchDuty } from '../../../src/ha/watch-loop.ts';
import { WatchMetrics } from '../../../src/ha/watch-metrics.ts';

const onLostOffice = vi.fn<(error: KlusterError) => void>();
let loop: WatchLoop<string> | undefined;

afterEach(async () => {
  await loop?.stop();
  onLostOffice.mockClear();
});

function watch(duty: Partial<WatchDuty<string>> & Pick<WatchDuty<string>, 'look'>): WatchLoop<string> {
  const context = { logger: pino({ level: 'silent' }), metrics: new WatchMetrics(), onLostOffice };
  loop = new WatchLoop<string>(context, {
    subject: 'things',
    limits: { routine: 2, urgent: 1 },
    failed: () => ({ inMs: 1 }),
    ...duty,
  });
  loop.start();
  return loop;
}

/** Looks that go on until they are told to end. */
class Pending {
  readonly began: string[] = [];
  readonly #ends: (() => void)[] = [];
  readonly look = async (key: string, { signal }: Look): Promise<{ readonly inMs: number }> => {
    this.began.push(key);
    await new Promise<void>((resolve) => {
      this.#ends.push(resolve);
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    return { inMs: 60_000 };
  };

  end(): void {
    this.#ends.shift()?.();
  }
}

it('keeps so many looks under way and no more, and what happens goes first', async () => {
  const pending = new Pending();
  const things = watch(pending);
  for (const key of ['a', 'b', 'c', 'd']) things.add(key);
  await expect.poll(() => pending.began).toEqual(['a', 'b']);
  things.urge('d');
  await expect.poll(() => pending.began).toEqual(['a', 'b', 'd']);
  await sleep(50);
  expect(pending.began).toEqual(['a', 'b', 'd']);
  pending.end();
  await expect.poll(() => pending.began).toEqual(['a', 'b', 'd', 'c']);
});

it('stops what is under way, waits for it, and begins nothing more', async () => {
  const pending = new Pending();
  const things = watch(pending);
  for (const key of ['a', 'b', 'c']) things.add(key);
  await expect.poll(() => pending.began).toHaveLength(2);
  await things.stop();
  await sleep(20);
  expect(pending.began).toHaveLength(2);
});

it('does not look at a thing while somebody else works on it, and looks right afterwards', async () => {
  const began: string[] = [];
  const things = watch({
    look: (key) => {
      began.push(key);
      return Promise.resolve({ inMs: 60_000 });
    },
  });
  things.add('a');
  await expect.poll(() => began).toEqual(['a']);
  await things.without('a', async () => {
    things.urge('a');
    await sleep(50);
    expect(began).toEqual(['a']);
  });
  await expect.poll(() => began).toEqual(['a', 'a']);
});

it('goes on after failures: of a look, and of reading what there is', async () => {
  let reads = 0;
  let looks = 0;
  const things = watch({
    refreshMs: 1,
    refresh: () => {
      reads += 1;
      if (reads === 1) return Promise.reject(new Error('not now'));
      loop?.add('a');
      return Promise.resolve();
    },
    look: () => {
      looks += 1;
      return Promise.reject(new Error('no answer'));
    },
  });
  await expect.poll(() => looks, { timeout: 10_000 }).toBeGreaterThan(2);
  expect(onLostOffice).not.toHaveBeenCalled();
  await things.stop();
});

it('ends when another manager leads, and says so once', async () => {
  let looks = 0;
  const things = watch({
    look: () => {
      looks += 1;
      return Promise.reject(new KlusterError('stale_epoch', 'another one leads'));
    },
  });
  things.add('a');
  await expect.poll(() => onLostOffice.mock.calls).toHaveLength(1);
  things.urge('a');
  await sleep(20);
  expect(looks).toBe(1);
});
