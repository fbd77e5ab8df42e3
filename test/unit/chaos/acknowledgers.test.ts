import { describe, expect, it } from 'vitest';
import { acknowledgers, type WriterSample } from '../../chaos/support/writer-watch.ts';
import { Random } from '../../chaos/support/random.ts';

const a = { hostaddr: '10.0.0.1', port: 1 };
const b = { hostaddr: '10.0.0.2', port: 1 };
const c = { hostaddr: '10.0.0.3', port: 1 };
const primary = (at: WriterSample['at'], acknowledgements = 1): WriterSample => ({
  at,
  writable: true,
  acknowledgements,
  receivesFrom: null,
});
const replica = (at: WriterSample['at'], receivesFrom: WriterSample['receivesFrom']): WriterSample => ({
  at,
  writable: false,
  acknowledgements: 0,
  receivesFrom,
});

describe('the nodes that could acknowledge a write', () => {
  it('are the writable one that replicas receive from', () => {
    expect(acknowledgers([primary(a), replica(b, a), replica(c, a)])).toEqual([a]);
  });

  it('are none while too few receive from it', () => {
    expect(acknowledgers([primary(a, 2), replica(b, a), replica(c, null)])).toEqual([]);
  });

  it('do not include an old primary that is writable but that nobody receives from', () => {
    expect(acknowledgers([primary(a), primary(b), replica(c, b)])).toEqual([b]);
  });

  it('are two when each has a replica, or when one asks nobody', () => {
    const d = { hostaddr: '10.0.0.4', port: 1 };
    expect(acknowledgers([primary(a), primary(b), replica(c, b), replica(d, a)])).toEqual([a, b]);
    expect(acknowledgers([primary(a, 0), primary(b), replica(c, b)])).toEqual([a, b]);
  });
});

describe('the schedule', () => {
  it('follows from the seed alone', () => {
    const drawn = (seed: number) => new Random(seed).shuffled([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(drawn(5)).toEqual(drawn(5));
    expect(drawn(5)).not.toEqual(drawn(6));
    expect(new Set(drawn(5))).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
  });
});
