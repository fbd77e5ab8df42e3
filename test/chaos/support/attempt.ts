import type { MissionCase } from './mission-case.ts';
import { missionCases } from './mission-cases.ts';

export const victims = ['manager', 'agent', 'engine', 'metadata'] as const;
export type Victim = (typeof victims)[number];
/** What the job is to come to: `undone` jobs are made to fail as late as they can be undone. */
export const ways = ['undone', 'done'] as const;
export type Way = (typeof ways)[number];

/** One job whose manager, or another process, dies at some of its fault points. */
export interface Attempt {
  readonly mission: MissionCase;
  readonly victim: Victim;
  readonly way: Way;
  /** Of the fault points, one in so many; 1: every one. */
  readonly oneIn: number;
}

/** The cases of these names or job types, both ways, with one victim. */
export function everyAttempt(
  victim: Victim,
  names: ReadonlySet<string> | null,
  oneIn: number,
): readonly Attempt[] {
  const chosen = missionCases.filter(
    ({ name, jobType }) => names === null || names.has(name) || names.has(jobType),
  );
  return chosen.flatMap((mission) => ways.map((way) => ({ mission, victim, way, oneIn })));
}
