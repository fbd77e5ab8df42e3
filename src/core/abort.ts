import { sharedAbort } from './shared-abort.ts';

/**
 * Why not `AbortSignal.any`: in Node 20 a combined signal with a time-out in it can be collected as garbage while a
 * request still waits under it, and then neither the deadline nor an abort ever comes. Here the timer and the parents'
 * listeners hold the signal until it is released.
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Lets go of the parents; to be called when what ran under the signal has ended. */
  release(): void;
}

/** A signal of its own that is also aborted, with the same reason, when one of the parents is. */
export function linkedSignal(...parents: readonly AbortSignal[]): LinkedSignal {
  const controller = sharedAbort();
  const release = (): void => {
    for (const { parent, forward } of links) parent.removeEventListener('abort', forward);
  };
  const links = parents.map((parent) => ({
    parent,
    forward: () => {
      release();
      controller.abort(parent.reason);
    },
  }));
  for (const { parent, forward } of links) {
    if (parent.aborted) forward();
    else parent.addEventListener('abort', forward, { once: true });
  }
  return {
    signal: controller.signal,
    abort: (reason) => {
      controller.abort(reason);
    },
    release,
  };
}

/** Whether this is what `withDeadline` rejects with when its time is up. */
export function isDeadlineError(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/**
 * Runs something under a signal that is aborted after `milliseconds`, or when the parent is. What does not react to
 * its signal is left behind then: the body of a response is read under fetch's own, weakly held signal (Node 20).
 */
export async function withDeadline<T>(
  milliseconds: number,
  parent: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const linked = parent === undefined ? linkedSignal() : linkedSignal(parent);
  const { signal } = linked;
  const timer = setTimeout(() => {
    linked.abort(new DOMException(`not done within ${String(milliseconds)} ms`, 'TimeoutError'));
  }, milliseconds);
  let stopWaiting: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stopWaiting = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', stopWaiting, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([run(signal), aborted]);
  } finally {
    clearTimeout(timer);
    if (stopWaiting !== undefined) signal.removeEventListener('abort', stopWaiting);
    linked.release();
  }
}
