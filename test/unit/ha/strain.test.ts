import { expect, it } from 'vitest';
import { nextShare } from '../../../src/ha/strain.ts';

it('allows less at once while what is due waits for its turn, and more again when it does not', () => {
  let share = 1;
  for (let reading = 0; reading < 20; reading += 1) share = nextShare(share, 200);
  expect(share).toBe(1 / 4);
  expect(nextShare(share, 80)).toBe(share);
  for (let reading = 0; reading < 20; reading += 1) share = nextShare(share, 1);
  expect(share).toBe(1);
});
