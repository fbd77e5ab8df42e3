import { sleep } from './deadline.ts';
import type { RetryPolicy } from './plan.ts';
import { isPassingFault, retryDelayMs } from './retry.ts';

export interface Repetition {
  readonly policy: RetryPolicy;
  /** Ends the waiting between attempts. */
  readonly signal: AbortSignal;
  /** Errors after which there is no next attempt, whatever the policy says. */
  isFinal(error: unknown): boolean;
  /** Before the wait for the next attempt. */
  beforeWait(error: unknown, delayMs: number): Promise<void>;
}

/** Attempts something as often as the policy allows; rejects with the error of the last attempt. */
export async function repeat<T>(repetition: Repetition, attempt: () => Promise<T>): Promise<T> {
  const { policy, signal } = repetition;
  const isPassing = (error: unknown, attempts: number) =>
    policy.isPassing?.(error, attempts) ?? isPassingFault(error);
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts >= policy.attempts || repetition.isFinal(error) || !isPassing(error, attempts))
        throw error;
      const delayMs = retryDelayMs(policy, attempts, Math.random);
      await repetition.beforeWait(error, delayMs);
      await sleep(delayMs, signal);
    }
  }
}
