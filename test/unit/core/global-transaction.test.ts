import { describe, expect, it } from 'vitest';
import { parseBranchName } from '../../../src/core/global-transaction.ts';

describe('the name of a branch', () => {
  it('says whose transaction it is and under which number the log knows it', () => {
    expect(parseBranchName('7-1700000000-42')).toEqual({ compId: 7, number: (1_700_000_000n << 32n) + 42n });
    expect(parseBranchName('1-4294967295-4294967295')?.number).toBe((1n << 64n) - 1n);
  });

  it.each(['', '7', '7-1', '7-1-2-3', 'a-1-2', '7-1700000000-4294967296', ' 7-1-2', '-1-2-3'])(
    'is not given by a compute node: %j',
    (name) => {
      expect(parseBranchName(name)).toBeUndefined();
    },
  );
});
