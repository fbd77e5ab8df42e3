import { setTimeout as sleep } from 'node:timers/promises';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';

const pauseMs = 100;
/** What a manager that is stopped, or very busy, or whose metadata server is away, makes of a question. */
const passing: ReadonlySet<string> = new Set(['manager_unreachable', 'metadata', 'step_deadline']);

/** Asks again while the manager, or what it needs for its answer, is away. @throws what the last attempt threw */
export async function answered<T>(milliseconds: number, question: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      return await question();
    } catch (error) {
      const isAway = error instanceof KlusterError && passing.has(error.kind);
      if (!isAway || performance.now() > deadline) throw error;
    }
    await sleep(pauseMs);
  }
}
