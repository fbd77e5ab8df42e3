import { setTimeout as delay } from 'node:timers/promises';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { sharedAbort } from '../core/shared-abort.ts';

/** How long a step may take to notice that it was told to stop, before the engine goes on without it. */
const defaultNoticeMs = 10_000;

export interface Bounded<T> {
  /** What runs, for the error: `step "start storage node 10.0.0.1:57001"`. */
  readonly what: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly noticeMs?: number;
  run(signal: AbortSignal): Promise<T>;
}

/**
 * Runs something with a deadline under a signal. When the deadline passes the outcome is `step_deadline`; when the
 * signal aborts it is the signal's reason; unless the run succeeds all the same, which counts. A run that does not
 * react to its signal is left behind after a notice period.
 */
export async function runBounded<T>(bounded: Bounded<T>): Promise<T> {
  const { what, deadlineMs, signal, noticeMs = defaultNoticeMs } = bounded;
  signal.throwIfAborted();
  const scope = sharedAbort();
  const abort = () => scope.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const expired = new KlusterError('step_deadline', `${what} did not end within ${String(deadlineMs)} ms`);
  const deadline = setTimeout(() => scope.abort(expired), deadlineMs);
  let notice: NodeJS.Timeout | undefined;
  const leftBehind = new Promise<never>((_resolve, reject) => {
    const giveNotice = () => {
      notice = setTimeout(() => reject(new Error('it did not react to being stopped')), noticeMs);
    };
    scope.signal.addEventListener('abort', giveNotice, { once: true });
  });
  try {
    return await Promise.race([bounded.run(scope.signal), leftBehind]);
  } catch (error) {
    if (!scope.signal.aborted) throw error;
    throw scope.signal.reason === expired ? withLastWords(expired, error) : scope.signal.reason;
  } finally {
    clearTimeout(deadline);
    clearTimeout(notice);
    signal.removeEventListener('abort', abort);
  }
}

/** What a run says when it is stopped often tells what it was waiting for. */
function withLastWords(expired: KlusterError, thrown: unknown): KlusterError {
  const isEcho = thrown === expired || (thrown instanceof Error && thrown.name === 'AbortError');
  return isEcho
    ? expired
    : new KlusterError(expired.kind, `${expired.message}: ${errorText(thrown)}`, { cause: thrown });
}

/** Waits; rejects with the signal's reason when it aborts first. */
export async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
