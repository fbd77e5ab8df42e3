import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { AgentEvent } from '../core/agent-protocol.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { isJsonObject } from '../core/json.ts';

/** Longer than this without a heartbeat (sent every 500 ms) and the agent counts as gone. */
const silenceLimitMs = 5_000;

const eventTypes: readonly unknown[] = [
  'hello',
  'heartbeat',
  'instance',
  'removed',
] satisfies AgentEvent['type'][];

function isAgentEvent(value: unknown): value is AgentEvent {
  return isJsonObject(value) && eventTypes.includes(value['type']);
}

function parseEvent(line: string): AgentEvent | null {
  const value: unknown = JSON.parse(line);
  return isAgentEvent(value) ? value : null;
}

/**
 * The events of one open stream until it ends. Event types of newer agents are passed over.
 * @throws KlusterError agent_unreachable when the stream breaks, ends or falls silent.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  address: string,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent> {
  const stream = Readable.fromWeb(body);
  // The signal given to fetch does not reach a body any more once the request was garbage-collected (undici holds it
  // weakly; seen with Node 20), so the stream listens itself.
  const abort = (): void => {
    stream.destroy();
  };
  signal.addEventListener('abort', abort, { once: true });
  const silence = setTimeout(() => {
    stream.destroy(new Error(`no heartbeat for ${String(silenceLimitMs)} ms`));
  }, silenceLimitMs);
  try {
    // readline's own iterator does not tell of errors of its input; a listener keeps them for the end.
    const failure: { error?: Error } = {};
    stream.once('error', (error) => {
      failure.error = error;
    });
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      silence.refresh();
      const event = line === '' ? null : parseEvent(line);
      if (event !== null) yield event;
    }
    const reason = failure.error === undefined ? 'the agent ended it' : errorText(failure.error);
    throw new KlusterError(
      'agent_unreachable',
      `The event stream of the agent at ${address} ended: ${reason}`,
    );
  } finally {
    signal.removeEventListener('abort', abort);
    clearTimeout(silence);
    stream.destroy();
  }
}
