import { join } from 'node:path';
import { errorText } from '../../../src/core/errors/kluster-error.ts';
import type { Attempt } from './attempt.ts';
import { Ground, type GroundOptions } from './ground.ts';

export interface SweepOptions extends GroundOptions {
  /** In the order of `missionCases`, as each leads to where the next one begins. */
  readonly attempts: readonly Attempt[];
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
        const [killed, points, jobs] = [ended.kills, ended.points, ended.rounds].map(String);
        const count = `${killed ?? ''} kills at ${points ?? ''} points in ${jobs ?? ''} jobs`;
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
