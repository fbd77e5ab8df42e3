import { setTimeout as sleep } from 'node:timers/promises';
import { KlusterError } from '../../core/errors/kluster-error.ts';

const pollMs = 50;

/**
 * Repeats `check` until it gives true; what else it gives says how far it is. Ends with step_deadline after
 * `deadlineMs`, and at once when the signal is aborted.
 */
export async function until(
  signal: AbortSignal,
  deadlineMs: number,
  goal: string,
  check: () => Promise<true | string>,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const progress = await check();
    if (progress === true) return;
    if (performance.now() >= deadline) {
      throw new KlusterError(
        'step_deadline',
        `waited ${String(Math.round(deadlineMs / 1000))} s for ${goal}: ${progress}`,
      );
    }
    await sleep(pollMs, undefined, { signal });
  }
}
