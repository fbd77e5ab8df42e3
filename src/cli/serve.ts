import { once } from 'node:events';

/** A server that runs in this process. */
export interface RunningServer {
  close(): Promise<void>;
}

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/**
 * Starts a server and keeps it until SIGTERM or SIGINT, then closes it. A signal during the start closes it as soon
 * as it has started. A second signal ends the process the ordinary way, when closing hangs.
 */
export async function serveUntilSignal(start: () => Promise<RunningServer>): Promise<void> {
  const received = new AbortController();
  const signalled = Promise.race(
    stopSignals.map((name) => once(process, name, { signal: received.signal })),
  ).catch((error: unknown) => {
    if (!received.signal.aborted) throw error;
  });
  try {
    const server = await start();
    await signalled;
    await server.close();
  } finally {
    received.abort();
  }
}
