import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Milliseconds between comments that keep proxies from closing a silent stream. */
const heartbeatMs = 15_000;

export interface ServerSentEvent {
  readonly id?: number;
  readonly event: string;
  readonly data: string;
}

function frame({ id, event, data }: ServerSentEvent): string {
  return `${id === undefined ? '' : `id: ${String(id)}\n`}event: ${event}\ndata: ${data}\n\n`;
}

/**
 * Writes events as they come (text/event-stream) until they end, the client leaves, or the signal is aborted. A slow
 * client slows the source down, it does not fill memory.
 */
export async function streamEvents(
  response: ServerResponse,
  events: AsyncIterable<ServerSentEvent>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': heartbeat\n\n');
  }, heartbeatMs);
  try {
    for await (const event of events) {
      if (signal.aborted || response.destroyed) return;
      if (!response.write(frame(event))) await once(response, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

/** Signals that end streams: one for all, aborted when the server closes. */
export class OpenStreams {
  private readonly closing = new AbortController();

  /** Aborted when the client leaves or the server closes. */
  signalFor(response: ServerResponse): AbortSignal {
    const gone = new AbortController();
    const leave = (): void => gone.abort(new Error('the stream was closed'));
    response.once('close', () => {
      this.closing.signal.removeEventListener('abort', leave);
      leave();
    });
    if (this.closing.signal.aborted) leave();
    this.closing.signal.addEventListener('abort', leave, { once: true });
    return gone.signal;
  }

  end(): void {
    this.closing.abort(new Error('the server is closing'));
  }
}
