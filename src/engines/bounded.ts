interface Bounds {
  readonly signal: AbortSignal;
  readonly milliseconds: number;
  /** Ends what runs, at the deadline or when the signal is aborted. */
  readonly interrupt: () => void;
  readonly deadlineError: () => Error;
}

/** A timer that is later than this shows that this process stood still. */
const stallMs = 100;

/**
 * Waits for `run` no longer than the deadline and the signal allow. Rejects with the signal's own reason, so that
 * the caller finds the cause of its own abort, or with `deadlineError`. Time in which this process stood still at the
 * deadline is given again, once.
 */
export function bounded<T>(bounds: Bounds, run: () => Promise<T>): Promise<T> {
  const { signal, milliseconds, interrupt } = bounds;
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const stop = (reason: unknown): void => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the caller's own abort reason, whatever it is
      reject(reason);
      interrupt();
    };
    const onAbort = (): void => stop(signal.reason);
    const start = performance.now();
    const onTime = (): void => {
      // The answer may be here already: a process that did not run has heard nothing meanwhile.
      const lateMs = performance.now() - start - milliseconds;
      if (lateMs < stallMs) stop(bounds.deadlineError());
      else timer = setTimeout(() => stop(bounds.deadlineError()), Math.min(lateMs, milliseconds));
    };
    let timer = setTimeout(onTime, milliseconds);
    signal.addEventListener('abort', onAbort, { once: true });
    run()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      });
  });
}
