import type { Logger } from 'pino';
import { errorText } from '../core/errors/kluster-error.ts';
import { repeat } from '../jobs/repeat.ts';
import { startRetry } from '../jobs/retry.ts';

const attemptMs = 60_000;

/**
 * Does a part of the start that needs the metadata server, again and again while that is busy or is just being restarted,
 * as after a start of the whole machine: a manager that gave up would be started again, and find the same.
 * @throws the error of the last attempt, or at once one that does not pass
 */
export async function patiently<T>(logger: Logger, part: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return repeat(
    {
      policy: startRetry,
      signal: new AbortController().signal,
      isFinal: () => false,
      async beforeWait(error) {
        logger.warn({ reason: errorText(error) }, 'the start waits for the metadata server');
        return Promise.resolve();
      },
    },
    () => part(AbortSignal.timeout(attemptMs)),
  );
}
