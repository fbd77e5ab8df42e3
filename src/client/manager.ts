import { isDeadlineError, linkedSignal, withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type {
  AnswerJson,
  ClusterJson,
  JobEventJson,
  JobJson,
  JobListJson,
  JobRequestJson,
  MachineJson,
  StatusJson,
} from '../core/rest-types.ts';
import { streamEventsOf } from './event-source.ts';
import { problemError } from './problem.ts';

export interface ManagerClientOptions {
  /** E.g. `http://127.0.0.1:35001`. */
  readonly url: string;
  /** Bearer token, when the manager asks for one. */
  readonly token?: string;
  /** Milliseconds for one call, 30000 when absent; watching a job has no end of its own. */
  readonly deadlineMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** The same key and request again give the same job. */
  readonly idempotencyKey?: string;
}

export interface JobListQuery {
  readonly limit?: number;
  readonly before?: number;
  readonly status?: string;
  readonly job_type?: string;
  readonly lock?: string;
}

export interface WatchOptions extends CallOptions {
  /** Only events with a greater sequence number. */
  readonly after?: number;
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const defaultDeadlineMs = 30_000;
/** The server sends a comment every 15 s; a stream that is silent for longer has lost its server. */
const silenceMs = 45_000;
const reconnectMs = { first: 200, longest: 5000 };
/** Consecutive connections that bring no event, about half a minute. */
const reconnectAttempts = 10;

/** The REST interface of a manager. Every call has a deadline and throws a KlusterError, with the server's kind. */
export class ManagerClient {
  readonly url: string;
  private readonly token: string | undefined;
  private readonly deadlineMs: number;

  constructor(options: ManagerClientOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.token = options.token;
    this.deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  }

  /** A job for job types that take time, an answer for the others. */
  submit(request: JobRequestJson, options: SubmitOptions = {}): Promise<JobJson | AnswerJson> {
    const { idempotencyKey, signal } = options;
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return this.call({ method: 'POST', path: '/jobs', body: request, headers, signal });
  }

  job(id: number, options: CallOptions = {}): Promise<JobJson> {
    return this.call({ method: 'GET', path: `/jobs/${String(id)}`, ...options });
  }

  /** Newest first. */
  jobs(query: JobListQuery = {}, options: CallOptions = {}): Promise<JobListJson> {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) search.set(key, String(value));
    }
    return this.call({ method: 'GET', path: `/jobs?${search.toString()}`, ...options });
  }

  cancel(id: number, options: CallOptions = {}): Promise<JobJson> {
    return this.call({ method: 'POST', path: `/jobs/${String(id)}/cancel`, ...options });
  }

  /** The new job. */
  retry(id: number, options: CallOptions = {}): Promise<JobJson> {
    return this.call({ method: 'POST', path: `/jobs/${String(id)}/retry`, ...options });
  }

  status(options: CallOptions = {}): Promise<StatusJson> {
    return this.call({ method: 'GET', path: '/status', ...options });
  }

  async machines(options: CallOptions = {}): Promise<readonly MachineJson[]> {
    const call: Call = { method: 'GET', path: '/machines', ...options };
    return (await this.call<{ machines: readonly MachineJson[] }>(call)).machines;
  }

  async clusters(options: CallOptions = {}): Promise<readonly ClusterJson[]> {
    const call: Call = { method: 'GET', path: '/clusters', ...options };
    return (await this.call<{ clusters: readonly ClusterJson[] }>(call)).clusters;
  }

  /** By id, name, or unique nick name. */
  cluster(idOrName: string, options: CallOptions = {}): Promise<ClusterJson> {
    return this.call({ method: 'GET', path: `/clusters/${encodeURIComponent(idOrName)}`, ...options });
  }

  /**
   * What happens to a job, from its first event on; the last one, `end`, carries the whole job. Reconnects when the
   * stream breaks and goes on behind the last event. Ends early when the signal is aborted.
   */
  async *watch(id: number, options: WatchOptions = {}): AsyncGenerator<JobEventJson> {
    const { signal = new AbortController().signal } = options;
    let after = options.after ?? 0;
    let failures = 0;
    while (!signal.aborted) {
      try {
        for await (const event of this.eventsOnce(id, after, signal)) {
          failures = 0;
          after = event.sequence;
          yield event;
          if (event.type === 'end') return;
        }
      } catch (error) {
        if (signal.aborted) return;
        const passing = error instanceof KlusterError && error.kind === 'manager_unreachable';
        if (!passing || failures >= reconnectAttempts) throw error;
      }
      failures += 1;
      await this.pause(failures, signal);
    }
  }

  private async *eventsOnce(id: number, after: number, signal: AbortSignal): AsyncGenerator<JobEventJson> {
    const silence = linkedSignal(signal);
    const timer = setTimeout(() => silence.abort(new Error('the event stream fell silent')), silenceMs);
    const path = `/jobs/${String(id)}/events`;
    try {
      const response = await this.fetch(
        { method: 'GET', path, headers: { 'last-event-id': String(after) } },
        silence.signal,
      );
      if (!response.ok) throw problemError(this.url, response.status, await response.text());
      if (response.body === null) throw this.unreachable('the event stream is empty');
      const body = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            timer.refresh();
            controller.enqueue(chunk);
          },
        }),
        // Here as well as for fetch, which forgets its signal when the request is garbage-collected (Node 20).
        { signal: silence.signal },
      );
      for await (const { data } of streamEventsOf(body)) yield JSON.parse(data) as JobEventJson;
    } catch (error) {
      throw error instanceof KlusterError ? error : this.unreachable(errorText(error));
    } finally {
      clearTimeout(timer);
      silence.release();
      silence.abort(new Error('no longer wanted'));
    }
  }

  private async pause(failures: number, signal: AbortSignal): Promise<void> {
    const milliseconds = Math.min(reconnectMs.longest, reconnectMs.first * 2 ** failures);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  private async call<Result>(call: Call): Promise<Result> {
    return withDeadline(this.deadlineMs, call.signal, async (signal) => {
      const response = await this.fetch(call, signal);
      const text = await response.text().catch((error: unknown) => {
        throw this.unreachable(errorText(error));
      });
      if (!response.ok) throw problemError(this.url, response.status, text);
      return JSON.parse(text) as Result;
    }).catch((error: unknown) => {
      throw isDeadlineError(error) ? this.unreachable(errorText(error)) : error;
    });
  }

  private async fetch(call: Call, signal: AbortSignal): Promise<Response> {
    const body = call.body === undefined ? {} : { body: JSON.stringify(call.body) };
    try {
      return await fetch(`${this.url}/api/v1${call.path}`, {
        method: call.method,
        headers: {
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
          ...call.headers,
        },
        signal,
        redirect: 'error',
        ...body,
      });
    } catch (error) {
      if (call.signal?.aborted === true) throw call.signal.reason;
      throw this.unreachable(errorText(error));
    }
  }

  private unreachable(reason: string): KlusterError {
    return new KlusterError('manager_unreachable', `The manager at ${this.url} does not answer: ${reason}`);
  }
}
