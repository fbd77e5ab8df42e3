import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AgentEvent, InstanceStanding, InstanceView } from '../../src/core/agent-protocol.ts';
import { instanceId } from '../../src/core/ids.ts';
import { colonAddress } from '../../src/core/model.ts';
import { verifyRequest } from '../../src/core/request-signature.ts';
import { agentPort, type Layout, type NodePlace } from './layout.ts';

const heartbeatMs = 500;
const now = (): string => new Date().toISOString();
const line = (event: AgentEvent): string => `${JSON.stringify(event)}\n`;

function standing(layout: Layout, { node, isSource }: NodePlace): InstanceStanding {
  return {
    superReadOnly: !isSource,
    source: isSource ? null : colonAddress(layout.sourceOf(node)),
    receives: !isSource,
    applies: !isSource,
    acknowledges: !isSource,
    acknowledgements: isSource ? 1 : 0,
    acknowledgers: isSource ? 2 : 0,
    group: [],
    stalled: false,
    lingering: 0,
  };
}

function instanceView(layout: Layout, place: NodePlace, state: 'running' | 'starting'): InstanceView {
  const isRunning = state === 'running';
  return {
    instanceId: instanceId(place.instanceId),
    engine: 'mysql',
    engineVersion: '9.7.4',
    hostaddr: place.hostaddr,
    port: place.port,
    state,
    desired: 'running',
    pid: isRunning ? 100_000 + place.node : null,
    datadir: `/srv/kluster/data/${place.instanceId}`,
    logFile: `/srv/kluster/data/${place.instanceId}/error.log`,
    restarts: isRunning ? 0 : 1,
    lastExit: isRunning ? null : { at: now(), reason: 'signal SIGKILL' },
    remadeBy: null,
    labels: { cluster: String(place.cluster), shard: String(place.shardNumber) },
    cpuLimit: null,
    warnings: [],
    ...(isRunning && {
      health: { answers: true, reason: null, hearsSource: place.isSource ? null : true },
      standing: standing(layout, place),
    }),
  };
}

/** The agents of all machines in one server: which of them is meant, the address says that was connected to. */
export class SimulatedAgents {
  readonly #layout: Layout;
  readonly #secret: string;
  readonly #agents: ReadonlyMap<string, number>;
  readonly #streams = new Map<number, ServerResponse>();

  constructor(layout: Layout, secret: string) {
    this.#layout = layout;
    this.#secret = secret;
    const all = Array.from(
      { length: layout.agents },
      (_, agent) => [layout.addressOf(agent), agent] as const,
    );
    this.#agents = new Map(all);
  }

  get streams(): number {
    return this.#streams.size;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: agentPort, host: '0.0.0.0', backlog: 8192 }, resolve);
    });
  }

  /** To whoever listens to the node's agent. */
  tell(place: NodePlace, state: 'running' | 'starting'): void {
    this.#streams
      .get(place.agent)
      ?.write(line({ type: 'instance', at: now(), instance: instanceView(this.#layout, place, state) }));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { localAddress = '' } = request.socket;
    const agent = this.#agents.get(localAddress);
    if (agent === undefined) {
      request.socket.destroy();
      return;
    }
    const { method = '', url = '', headers } = request;
    const target = `${localAddress}:${String(agentPort)}`;
    const signed = verifyRequest(this.#secret, { method, path: url, target, body: '' }, headers, Date.now());
    if (signed.ok && method === 'GET' && url === '/v1/events') this.#stream(agent, response);
    else response.writeHead(signed.ok ? 404 : 401).end();
  }

  #stream(agent: number, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.socket?.setNoDelay(true);
    const instances = this.#layout
      .nodesOf(agent)
      .map((place) => instanceView(this.#layout, place, 'running'));
    response.write(line({ type: 'hello', at: now(), instances }));
    this.#streams.set(agent, response);
    const timer = setInterval(() => {
      response.write(line({ type: 'heartbeat', at: now(), cpuBusy: 0.25, availableMemoryMb: 8192 }));
    }, heartbeatMs);
    response.on('close', () => {
      clearInterval(timer);
      if (this.#streams.get(agent) === response) this.#streams.delete(agent);
    });
  }
}
