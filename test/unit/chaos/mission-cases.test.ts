import { expect, it } from 'vitest';
import { missions } from '../../../src/manager/job-types.ts';
import { missionCases } from '../../chaos/support/mission-cases.ts';

it('a job of every type takes part in the sweep of fault points', () => {
  const cases = new Set(missionCases.map(({ jobType }) => jobType));
  expect(cases).toEqual(new Set(missions.map(({ jobType }) => jobType)));
});
