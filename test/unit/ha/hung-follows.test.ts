import { describe, expect, it } from 'vitest';
import { storageNodeId } from '../../../src/core/ids.ts';
import { deadlineError } from '../../../src/engines/sql-error.ts';
import { HungFollows } from '../../../src/ha/hung-follows.ts';

const hangs = () => Promise.reject(deadlineError('MySQL 10.0.0.2:57001', 'statement', 10_000));
const refuses = () => Promise.reject(new Error('not now'));
const works = () => Promise.resolve();

/** Attempts to make node 2 follow, one after the other; how often it was killed. */
async function killsAfter(...follows: readonly (() => Promise<void>)[]): Promise<number> {
  const hung = new HungFollows();
  let kills = 0;
  const kill = () => {
    kills += 1;
    return Promise.resolve();
  };
  for (const follow of follows) await hung.attempt(storageNodeId(2), follow, kill).catch(() => undefined);
  return kills;
}

describe('a server that is told to follow', () => {
  it('is ended when it has not answered three times in a row, and again after three more', async () => {
    expect(await killsAfter(hangs, hangs)).toBe(0);
    expect(await killsAfter(hangs, hangs, hangs)).toBe(1);
    expect(await killsAfter(hangs, hangs, hangs, hangs, hangs)).toBe(1);
    expect(await killsAfter(hangs, hangs, hangs, hangs, hangs, hangs)).toBe(2);
  });

  it('is left alone when it does what it is told, or answers that it does not', async () => {
    expect(await killsAfter(hangs, hangs, works, hangs, hangs)).toBe(0);
    expect(await killsAfter(hangs, hangs, refuses, hangs, hangs)).toBe(0);
  });

  it('does not answer for another node', async () => {
    const hung = new HungFollows();
    const kill = () => Promise.reject(new Error('killed'));
    for (const node of [2, 3, 2, 3])
      await hung.attempt(storageNodeId(node), hangs, kill).catch(() => undefined);
    await expect(hung.attempt(storageNodeId(3), hangs, kill)).rejects.toThrow('killed');
  });
});
