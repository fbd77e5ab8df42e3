import { join } from 'node:path';
import { errorText } from '../../../src/core/errors/kluster-error.ts';
import { Ground } from './ground.ts';
import type { MissionCase } from './mission-case.ts';
import { missionCases } from './mission-cases.ts';

export const victims = ['manager', 'agent', 'engine', 'metadata'] as const;
export type Victim = (typeof victims)[number];
/** What the job is to come to: `undone` jobs are made to fail as late as they can be undone. */
export type Way = 'undone' | 'done';

/** One job whose manager, or another process, dies at some of its fault points. */
export interface Attempt {
  readonly mission: MissionCase;
  readonly victim: Victim;
  readonly way: Way;
  /** Of the fault points, one in so many; 1: every one. */
  readonly oneIn: number;
}

export interface SweepOptions {
  readonly directory: string;
  readonly network: string;
  /** Of the machines; see `InstallationLayout`. */
  readonly portBlock?: number;
  /** In the order of `missionCases`, as each leads to where the next one begins. */
  readonly attempts: readonly Attempt[];
  readonly seed: number;
  readonly note: (text: string) => void;
  /** Attempts that have not begun after so long are left out. */
  readonly budgetMs?: number;
  /** Where the logs of installations are kept in which a job did not end as it has to. */
  readonly logs?: string;
}

export interface SweepResult {
  /** Attempts that were begun. */
  readonly begun: number;
  readonly kills: number;
  /** Jobs that did not come to the end that they had to, or left something. */
  readonly failures: readonly string[];
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
  return chosen.flatMap((mission) =>
    (['undone', 'done'] as const).map((way) => ({ mission, victim, way, oneIn })),
  );
}

/**
 * Runs jobs while something of the installation is killed at their fault points. Each must end, done or with everything
 * undone, and leave nothing that the doctor finds. After one that does not, the next begins in a new installation.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const failures: string[] = [];
  let begun = 0;
  let kills = 0;
  let ground: Ground | null = null;
  const until = performance.now() + (options.budgetMs ?? Infinity);
  try {
    for (const [index, attempt] of options.attempts.entries()) {
      if (performance.now() > until) break;
      begun += 1;
      const began = performance.now();
      const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0)} s`;
      const what = `${attempt.mission.name}, ${attempt.way}, killing ${attempt.victim}s`;
      try {
        ground ??= await Ground.prepare(options, index);
        const ended = await ground.run(attempt, index);
        kills += ended.kills;
        const { status, error } = ended.job;
        const count = `${String(ended.kills)} kills in ${String(ended.rounds)} jobs`;
        options.note(`${what}: ${status} after ${count}, ${seconds()} ${error?.message ?? ''}`);
      } catch (error) {
        failures.push(`${what}: ${errorText(error)}`);
        options.note(`FAILED (${seconds()}) ${failures.at(-1) ?? ''}`);
        await ground?.end();
        if (options.logs !== undefined)
          await ground?.keepLogs(join(options.logs, what.replaceAll(', ', '-')));
        ground = null;
      }
    }
    return { begun, kills, failures };
  } finally {
    await ground?.end();
  }
}
