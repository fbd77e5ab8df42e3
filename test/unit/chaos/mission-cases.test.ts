import { expect, it } from 'vitest';
import { missions } from '../../../src/manager/job-types.ts';
import { missionCases } from '../../chaos/support/mission-cases.ts';

it('a job of every type takes part in the sweep of fault points', () => {
  const cases = new Set(missionCases.map(({ jobType }) => jobType));
  expect(cases).toEqual(new Set(missions.map(({ jobType }) => jobType)));
});

it('cases have names of their own, and name others of their part that exist', () => {
  const names = missionCases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { part, needs = [], ends = [] } of missionCases) {
    const ofPart = missionCases.filter((one) => one.part === part).map(({ name }) => name);
    expect(ofPart).toEqual(expect.arrayContaining([...needs, ...ends]));
  }
});
