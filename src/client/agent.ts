import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { isDeadlineError, linkedSignal, withDeadline } from '../core/abort.ts';
import type {
  FormerSetting,
  AgentEvent,
  Health,
  InstanceSpec,
  InstanceView,
  MachineStats,
  PathSpace,
  PortCheck,
  RestartRequest,
  SavedTransactions,
  SaveTransactionsRequest,
  StopRequest,
  Strays,
} from '../core/agent-protocol.ts';
import { errorCatalogue, type ErrorName } from '../core/errors/catalogue.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { InstanceId } from '../core/ids.ts';
import { isJsonObject, type Json } from '../core/json.ts';
import { colonAddress, type CpuLimit, type HostPort } from '../core/model.ts';
import { clockOf, nonceHeader, signRequest } from '../core/request-signature.ts';
import { openEvents, readEvents } from './agent-events.ts';

export interface AgentClientOptions extends HostPort {
  readonly secret: string;
  /** The epoch that the caller acts under, asked for at every request. */
  epoch(): number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Instead of the verb's own deadline. */
  readonly deadlineMs?: number;
}

interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly signed?: boolean;
  readonly deadlineMs: number;
}

interface SignedCall extends Call {
  readonly text: string;
  readonly signature: Readonly<Record<string, string>>;
}

/** Verbs that only look. */
const quickMs = 5_000;
/** Verbs that start or stop an engine: crash recovery and flushing a large buffer pool take their time. */
const engineMs = 180_000;

/** Reading all binary logs of a storage node. */
const logReadingMs = 3_600_000;

const instancePath = (id: InstanceId, verb = ''): string => `/v1/instances/${encodeURIComponent(id)}${verb}`;

const isErrorName = (kind: unknown): kind is ErrorName =>
  typeof kind === 'string' && Object.hasOwn(errorCatalogue, kind);

/** The agent of one machine. Every method has a deadline and throws a KlusterError. */
export class AgentClient {
  readonly #options: AgentClientOptions;
  /** `address:port`, as errors name it. */
  readonly address: string;
  /** By how much the agent's clock is ahead of this process's, as far as that matters. */
  #aheadMs = 0;

  constructor(options: AgentClientOptions) {
    this.#options = options;
    this.address = colonAddress(options);
  }

  async health(options?: CallOptions): Promise<Health> {
    return this.#call({ method: 'GET', path: '/v1/health', signed: false, deadlineMs: quickMs }, options);
  }

  async stats(options?: CallOptions): Promise<MachineStats> {
    return this.#call({ method: 'GET', path: '/v1/stats', deadlineMs: quickMs }, options);
  }

  async instances(options?: CallOptions): Promise<readonly InstanceView[]> {
    const call: Call = { method: 'GET', path: '/v1/instances', deadlineMs: quickMs };
    return (await this.#call<{ instances: readonly InstanceView[] }>(call, options)).instances;
  }

  /** @throws KlusterError instance_not_found */
  async instance(id: InstanceId, options?: CallOptions): Promise<InstanceView> {
    return this.#call({ method: 'GET', path: instancePath(id), deadlineMs: quickMs }, options);
  }

  /** Makes the instance, or joins its making; returns when it serves. */
  async create(id: InstanceId, spec: InstanceSpec, options?: CallOptions): Promise<InstanceView> {
    return this.#call({ method: 'PUT', path: instancePath(id), body: spec, deadlineMs: engineMs }, options);
  }

  async start(id: InstanceId, options?: CallOptions): Promise<InstanceView> {
    const path = instancePath(id, '/start');
    return this.#call({ method: 'POST', path, body: {}, deadlineMs: engineMs }, options);
  }

  async stop(id: InstanceId, mode: StopRequest['mode'], options?: CallOptions): Promise<InstanceView> {
    const body: StopRequest = { mode };
    const path = instancePath(id, '/stop');
    return this.#call({ method: 'POST', path, body, deadlineMs: engineMs }, options);
  }

  /** Restarts once per operation key. */
  async restart(id: InstanceId, operationKey: string, options?: CallOptions): Promise<InstanceView> {
    return this.#restart(id, { operationKey }, options);
  }

  /** As `restart`, but the process is killed: what its clients wait for is not answered. */
  async killAndStart(id: InstanceId, operationKey: string, options?: CallOptions): Promise<InstanceView> {
    return this.#restart(id, { operationKey, mode: 'immediate' }, options);
  }

  async #restart(id: InstanceId, body: RestartRequest, options?: CallOptions): Promise<InstanceView> {
    const path = instancePath(id, '/restart');
    return this.#call({ method: 'POST', path, body, deadlineMs: 2 * engineMs }, options);
  }

  /** Removes all data of the instance and makes it again from the template, once per operation key. */
  async remake(id: InstanceId, operationKey: string, options?: CallOptions): Promise<InstanceView> {
    const body: RestartRequest = { operationKey };
    const path = instancePath(id, '/remake');
    return this.#call({ method: 'POST', path, body, deadlineMs: 2 * engineMs }, options);
  }

  /** Saves what a storage node's logs have beyond `known` to files that outlive the node. */
  async saveTransactions(
    id: InstanceId,
    body: SaveTransactionsRequest,
    options?: CallOptions,
  ): Promise<SavedTransactions> {
    const path = instancePath(id, '/save-transactions');
    return this.#call({ method: 'POST', path, body, deadlineMs: logReadingMs }, options);
  }

  /** Puts back what a variable or setting was, of a server that is stopped. */
  async restoreSetting(id: InstanceId, former: FormerSetting, options?: CallOptions): Promise<void> {
    const path = instancePath(id, '/restore-setting');
    await this.#call({ method: 'POST', path, body: former, deadlineMs: quickMs }, options);
  }

  /** The limit as the kernel has it afterwards. */
  async setCpuLimit(id: InstanceId, limit: CpuLimit | null, options?: CallOptions): Promise<CpuLimit | null> {
    const path = instancePath(id, '/cpu-limit');
    const call: Call = { method: 'PUT', path, body: { limit }, deadlineMs: quickMs };
    return (await this.#call<{ limit: CpuLimit | null }>(call, options)).limit;
  }

  /** Ends the process and removes every directory; also done when there is no such instance. */
  async remove(id: InstanceId, options?: CallOptions): Promise<void> {
    await this.#call({ method: 'DELETE', path: instancePath(id), deadlineMs: engineMs }, options);
  }

  /** Those of the ports that something listens on. */
  async busyPorts(check: PortCheck, options?: CallOptions): Promise<readonly number[]> {
    const call: Call = { method: 'POST', path: '/v1/ports/check', body: check, deadlineMs: quickMs };
    return (await this.#call<{ busy: readonly number[] }>(call, options)).busy;
  }

  /** Those of the servers that take a connection from the agent's machine. */
  async reached(targets: readonly HostPort[], options?: CallOptions): Promise<readonly HostPort[]> {
    const call: Call = { method: 'POST', path: '/v1/reach', body: { targets }, deadlineMs: quickMs };
    return (await this.#call<{ reached: readonly HostPort[] }>(call, options)).reached;
  }

  /** Space of the file systems that hold the paths; makes missing directories. */
  async pathSpaces(paths: readonly string[], options?: CallOptions): Promise<readonly PathSpace[]> {
    const call: Call = { method: 'POST', path: '/v1/paths/space', body: { paths }, deadlineMs: quickMs };
    return (await this.#call<{ spaces: readonly PathSpace[] }>(call, options)).spaces;
  }

  /** What lies and runs below these base directories and belongs to no instance. */
  async strays(paths: readonly string[], options?: CallOptions): Promise<Strays> {
    return this.#call(
      { method: 'POST', path: '/v1/paths/strays', body: { paths }, deadlineMs: quickMs },
      options,
    );
  }

  /**
   * The agent's events until the signal is aborted (then it returns) or the stream breaks (then it throws
   * agent_unreachable, also after five seconds of silence). The first event is `hello` with all instances.
   */
  async *events(signal: AbortSignal): AsyncGenerator<AgentEvent> {
    const opening = linkedSignal(signal);
    const timer = setTimeout(() => {
      opening.abort(new Error(`no answer within ${String(quickMs)} ms`));
    }, quickMs);
    try {
      const call: Call = { method: 'GET', path: '/v1/events', deadlineMs: quickMs };
      const stream = await this.#openEvents(call, opening.signal).catch((error: unknown) => {
        throw this.#failure(call, opening.signal.aborted ? opening.signal.reason : error);
      });
      clearTimeout(timer);
      if (stream.statusCode !== 200) throw this.#refusal(stream.statusCode ?? 0, await text(stream));
      yield* readEvents(stream, this.address, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      opening.release();
      opening.abort(new Error('no longer wanted'));
    }
  }

  async #call<Reply>(call: Call, options: CallOptions = {}): Promise<Reply> {
    const deadlineMs = options.deadlineMs ?? call.deadlineMs;
    return withDeadline(deadlineMs, options.signal, async (signal) => {
      const response = await this.#fetch(call, signal);
      const body = await response.text().catch((error: unknown) => {
        throw this.#failure(call, error);
      });
      if (!response.ok) throw this.#refusal(response.status, body);
      return JSON.parse(body) as Reply;
    }).catch((error: unknown) => {
      throw isDeadlineError(error) ? this.#failure(call, error) : error;
    });
  }

  /** One repetition when the connection broke: a kept-alive one may have died with the agent's previous process. */
  async #fetch(call: Call, signal: AbortSignal): Promise<Response> {
    try {
      return await this.#send(call, signal);
    } catch (error) {
      if (signal.aborted) throw this.#failure(call, error);
    }
    try {
      return await this.#send(call, signal);
    } catch (error) {
      throw this.#failure(call, error);
    }
  }

  /** Once more by the agent's clock, when it says that the time is all that is wrong. */
  async #send(call: Call, signal: AbortSignal): Promise<Response> {
    const body = call.body === undefined ? '' : JSON.stringify(call.body);
    const signature = this.#sign(call, body);
    const response = await this.#sendSigned({ ...call, text: body, signature }, signal);
    if (!this.#takesTime(signature, response.status, response.headers)) return response;
    await response.body?.cancel();
    return this.#sendSigned({ ...call, text: body, signature: this.#sign(call, body) }, signal);
  }

  /** As `#send`. */
  async #openEvents(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const url = `http://${this.address}${call.path}`;
    const signature = this.#sign(call, '');
    const stream = await openEvents(url, signature, signal);
    const headers = new Headers();
    for (const [name, value] of Object.entries(stream.headers)) {
      if (typeof value === 'string') headers.set(name, value);
    }
    if (!this.#takesTime(signature, stream.statusCode ?? 0, headers)) return stream;
    stream.destroy();
    return openEvents(url, this.#sign(call, ''), signal);
  }

  #sign({ method, path, signed }: Call, body: string): Record<string, string> {
    if (signed === false) return {};
    const request = { method, path, target: this.address, body };
    return signRequest(this.#options.secret, request, this.#options.epoch(), Date.now() + this.#aheadMs);
  }

  /** Whether the agent has refused a request for its time alone; from now on the time is the agent's. */
  #takesTime(signature: Readonly<Record<string, string>>, status: number, headers: Headers): boolean {
    if (status !== 401) return false;
    const clock = clockOf(this.#options.secret, signature[nonceHeader] ?? '', headers);
    if (clock === null) return false;
    this.#aheadMs = clock - Date.now();
    return true;
  }

  async #sendSigned(call: SignedCall, signal: AbortSignal): Promise<Response> {
    const { method, path, text: body, signature } = call;
    const type = body === '' ? {} : { 'content-type': 'application/json' };
    return fetch(`http://${this.address}${path}`, {
      method,
      headers: { ...signature, ...type },
      signal,
      redirect: 'error',
      ...(body === '' ? {} : { body }),
    });
  }

  #unreachable(reason: string, cause?: unknown): KlusterError {
    return new KlusterError('agent_unreachable', `The agent at ${this.address} does not answer: ${reason}`, {
      cause,
    });
  }

  #failure(call: Call, error: unknown): KlusterError {
    return this.#unreachable(`${call.method} ${call.path}: ${errorText(error)}`);
  }

  #refusal(status: number, body: string): KlusterError {
    const said = refusalOf(body);
    if (said === null) {
      return new KlusterError(
        'agent_refused',
        `The agent at ${this.address} answered HTTP ${String(status)}: ${body}`,
      );
    }
    return new KlusterError(said.kind, `Agent ${this.address}: ${said.message}`);
  }
}

function refusalOf(text: string): { readonly kind: ErrorName; readonly message: string } | null {
  let reply: Json;
  try {
    reply = JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const error = isJsonObject(reply) ? reply['error'] : undefined;
  if (!isJsonObject(error)) return null;
  const { kind, message } = error;
  return isErrorName(kind) && typeof message === 'string' ? { kind, message } : null;
}

/** One client per agent, kept. */
export class AgentClients {
  readonly #secret: string;
  readonly #epoch: () => number;
  readonly #clients = new Map<string, AgentClient>();

  constructor(options: { readonly secret: string; epoch(): number }) {
    this.#secret = options.secret;
    this.#epoch = () => options.epoch();
  }

  at(where: HostPort): AgentClient {
    const key = colonAddress(where);
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const { hostaddr, port } = where;
    const client = new AgentClient({ hostaddr, port, secret: this.#secret, epoch: this.#epoch });
    this.#clients.set(key, client);
    return client;
  }
}
