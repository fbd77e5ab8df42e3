interface Bounds {
  readonly signal: AbortSignal;
  readonly milliseconds: number;
  /** Ends what runs, at the deadline or when the signal is aborted. */
  readonly interrupt: () => void;
  readonly deadlineError: () => Error;
}

/**
 * Waits for `run` no longer than the deadline and the signal allow. Rejects with the signal's own reason, so that
 * the caller finds the cause of its own abort, or with `deadlineError`.
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
    const timer = setTimeout(() => stop(bounds.deadlineError()), milliseconds);
    signal.addEventListener('abort', onAbort, { once: true });
    run()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      });
  });
}
