import type { StepView } from './mission.ts';

/**
 * How much of the plan is done, 0..99: the weight of the finished steps. Undoing makes it smaller again. 100 is what
 * only a job that ended done has.
 */
export function progressOf(steps: Iterable<Pick<StepView, 'state' | 'weight'>>): number {
  let total = 0;
  let done = 0;
  for (const { state, weight } of steps) {
    total += weight;
    if (state === 'done') done += weight;
  }
  return total === 0 ? 0 : Math.min(99, Math.floor((100 * done) / total));
}
