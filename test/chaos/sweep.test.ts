import { describe, expect, it } from 'vitest';
import { scratchDirectory } from '../support/scratch.ts';
import { missionCases } from './support/mission-cases.ts';
import { sweep } from './support/sweep.ts';

/** Every place, and agents and engines as well: `npm run chaos -- --sweep`. */
const sample = { victim: 'manager', oneIn: 40, seed: 1 } as const;
const testMs = 480_000;

describe('a job of every type', () => {
  it('ends and leaves nothing when managers die at its steps', { timeout: testMs }, async () => {
    const notes: string[] = [];
    const { kills, jobs } = await sweep({
      ...sample,
      directory: await scratchDirectory(),
      network: '127.0.46',
      note: (text) => notes.push(text),
    }).catch((error: unknown) => {
      throw new Error(notes.join('\n'), { cause: error });
    });
    expect(jobs.map(({ jobType }) => jobType)).toEqual(missionCases.map(({ jobType }) => jobType));
    expect(kills, notes.join('\n')).toBeGreaterThan(2);
  });
});
