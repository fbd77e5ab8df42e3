import { expect, it } from 'vitest';
import { LookQueue } from '../../../src/ha/look-queue.ts';

const limits = { routine: 2, urgent: 1 };

function queueOf(...keys: readonly string[]): LookQueue<string> {
  const queue = new LookQueue<string>(limits);
  keys.forEach((key, index) => {
    queue.add(key, index);
  });
  return queue;
}

const keysOf = (looks: readonly { readonly key: string }[]): readonly string[] => looks.map(({ key }) => key);

it('lets no more looks begin than there are places, the one that has waited longest first', () => {
  const queue = queueOf('a', 'b', 'c');
  expect(queue.admit(10, 9)).toEqual([
    { key: 'a', kind: 'routine', lateMs: 10 },
    { key: 'b', kind: 'routine', lateMs: 9 },
  ]);
  expect(queue.admit(11, 9)).toEqual([]);
  expect([queue.nextAt(), queue.overdue(20, 15)]).toEqual([Number.POSITIVE_INFINITY, 1]);
  queue.done('a', 12, { inMs: 100 });
  expect(keysOf(queue.admit(12, 9))).toEqual(['c']);
  expect(queue.overdue(20, 15)).toBe(0);
});

it('gives what cannot wait a place of its own, so that neither kind waits for the other', () => {
  const queue = queueOf('a', 'b', 'c', 'd', 'e');
  queue.admit(10, 9);
  queue.urge('e', 11);
  queue.urge('d', 12);
  expect(queue.admit(13, 9)).toEqual([{ key: 'e', kind: 'urgent', lateMs: 2 }]);
  queue.done('a', 14, { inMs: 100 });
  // However many are urged, the place of a routine look goes to one.
  expect(queue.admit(14, 9)).toEqual([{ key: 'c', kind: 'routine', lateMs: 12 }]);
  queue.done('e', 15, { inMs: 100 });
  expect(keysOf(queue.admit(15, 9))).toEqual(['d']);
});

it('looks again when something happens during a look, which may have seen what was before', () => {
  const queue = queueOf('a');
  queue.admit(0, 9);
  queue.urge('a', 5);
  expect(queue.admit(6, 9)).toEqual([]);
  queue.done('a', 20, { inMs: 30_000 });
  expect(queue.admit(20, 9)).toEqual([{ key: 'a', kind: 'urgent', lateMs: 15 }]);
  queue.done('a', 30, { inMs: 30_000 });
  expect([queue.nextAt(), queue.admit(30, 9)]).toEqual([30_030, []]);
});

it('passes nothing over for ever, however often others are due', () => {
  const queue = new LookQueue<number>(limits);
  for (let key = 0; key < 50; key += 1) queue.add(key, 0);
  const looks = new Map<number, number>();
  let running: readonly number[] = [];
  for (let now = 0; now < 1000; now += 10) {
    queue.urge(0, now);
    for (const key of running) queue.done(key, now, { inMs: key % 2 === 0 ? 0 : 20 });
    running = queue.admit(now, 9).map(({ key }) => key);
    for (const key of running) looks.set(key, (looks.get(key) ?? 0) + 1);
  }
  const counts = [...looks.entries()].filter(([key]) => key !== 0).map(([, count]) => count);
  expect(counts).toHaveLength(49);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  expect(looks.get(0)).toBeGreaterThan(90);
});

it('gives a place back when the look has seen everything, or ends, and never twice', () => {
  const queue = queueOf('a', 'b', 'c', 'd');
  queue.admit(10, 9);
  queue.freePlace('a');
  queue.freePlace('a');
  expect(keysOf(queue.admit(11, 9))).toEqual(['c']);
  queue.done('a', 12, { inMs: 100 });
  expect(keysOf(queue.admit(12, 9))).toEqual([]);
});

it('lets fewer looks begin while it may use a part of the places only, but one of each kind', () => {
  const queue = new LookQueue<number>({ routine: 8, urgent: 4 });
  for (let key = 0; key < 20; key += 1) queue.add(key, 0);
  queue.share = 1 / 16;
  for (const key of [18, 19]) queue.urge(key, 1);
  expect(queue.admit(1, 99).map(({ key }) => key)).toEqual([18, 0]);
  queue.share = 1 / 2;
  expect(queue.admit(1, 99).map(({ key }) => key)).toEqual([19, 1, 2, 3]);
});

it('leaves alone what is held, and looks at it when the last one lets go', () => {
  const queue = queueOf('a');
  queue.hold('a');
  queue.hold('a');
  queue.urge('a', 1);
  queue.letGo('a');
  expect([queue.admit(2, 9), queue.nextAt(), queue.overdue(9000, 0)]).toEqual([
    [],
    Number.POSITIVE_INFINITY,
    0,
  ]);
  queue.letGo('a');
  expect(keysOf(queue.admit(3, 9))).toEqual(['a']);
});

it('never looks twice at once at what was removed and came back', () => {
  const queue = queueOf('a');
  queue.admit(0, 9);
  queue.remove('a');
  expect(queue.keys()).toEqual([]);
  queue.add('a', 1);
  queue.urge('a', 1);
  expect(queue.admit(2, 9)).toEqual([]);
  queue.done('a', 3, { inMs: 100 });
  expect(keysOf(queue.admit(3, 9))).toEqual(['a']);
  queue.remove('a');
  queue.done('a', 4, { inMs: 0 });
  expect([queue.keys(), queue.admit(5, 9), queue.nextAt()]).toEqual([[], [], Number.POSITIVE_INFINITY]);
});
