import { expect, it } from 'vitest';
import { BranchAges } from '../../../src/core/branch-ages.ts';

it('counts from when a branch was first seen, anew when it was away in between', () => {
  const ages = new BranchAges();
  expect([...ages.see(['a'], 1000)]).toEqual([['a', 0]]);
  expect([...ages.see(['a', 'b'], 4000)]).toEqual([
    ['a', 3000],
    ['b', 0],
  ]);
  expect([...ages.see(['b'], 5000)]).toEqual([['b', 1000]]);
  expect([...ages.see(['a', 'b'], 6000)]).toEqual([
    ['a', 0],
    ['b', 2000],
  ]);
});
