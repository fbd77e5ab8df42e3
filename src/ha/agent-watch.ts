import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import type { AgentEvent, InstanceView } from '../core/agent-protocol.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type HostPort, type StorageNode } from '../core/model.ts';
import { removePending } from './pending-removals.ts';
import type { AgentReport } from './shard-observation.ts';

export interface AgentWatchOptions {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
  /** Something is, or may be, the matter with an instance, or has just been: look at once. */
  onSuspicion(at: HostPort): void;
  /** An instance is heard of that serves: no hurry. */
  onNews(at: HostPort): void;
}

const refreshMs = 2000;
const reconnectMs = 500;
/** Three heartbeats: whoever is silent for so long is worth a look at its instances. */
const lateMs = 1600;
const latenessCheckMs = 200;

interface WatchedAgent {
  readonly at: HostPort;
  readonly abort: AbortController;
  online: boolean;
  /** When it last sent anything, on the monotonic clock; null before the first event. */
  heardAt: number | null;
  /** It is late, and that was told. */
  late: boolean;
  readonly instances: Map<string, InstanceView>;
  task: Promise<void>;
  /** What was to be removed while it did not answer is being removed. */
  removal: Promise<void> | null;
}

/**
 * One event stream per registered machine. Knows which agents answer and what their instances do; when a machine comes
 * back, what was to be removed from it meanwhile is removed.
 */
export class AgentWatch {
  readonly #options: AgentWatchOptions;
  readonly #abort = new AbortController();
  readonly #agents = new Map<string, WatchedAgent>();
  /** The same by the address of their machine, for those who ask about its instances. */
  readonly #byHost = new Map<string, WatchedAgent>();
  #loop: Promise<void> | null = null;
  #lateness: NodeJS.Timeout | undefined;

  constructor(options: AgentWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
    this.#lateness ??= setInterval(() => {
      this.#suspectLate();
    }, latenessCheckMs);
  }

  async stop(): Promise<void> {
    const reason = new Error('the agent watch was stopped');
    this.#abort.abort(reason);
    clearInterval(this.#lateness);
    await this.#loop;
    const watched = [...this.#agents.values()];
    for (const agent of watched) agent.abort.abort(reason);
    await Promise.allSettled(watched.flatMap(({ task, removal }) => [task, removal ?? task]));
  }

  /** Whether an agent at this address sends heartbeats. */
  isOnline(hostaddr: string): boolean {
    return this.#byHost.get(hostaddr)?.online === true;
  }

  /** What is known of an instance from the agent of its machine; null when that has never been heard. */
  report({ hostaddr, instanceId }: Pick<StorageNode, 'hostaddr' | 'instanceId'>): AgentReport | null {
    const agent = this.#byHost.get(hostaddr);
    if (agent === undefined || agent.heardAt === null) return null;
    const silentMs = performance.now() - agent.heardAt;
    return { silentMs, instance: agent.instances.get(instanceId) ?? null };
  }

  /** The instances of all machines that answer, as their agents last described them. */
  instances(): readonly InstanceView[] {
    return [...this.#agents.values()].flatMap((agent) => (agent.online ? [...agent.instances.values()] : []));
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#refresh(signal);
        await this.#removePending(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.warn({ err: error }, 'the machines could not be read; trying again');
      }
      await sleep(refreshMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const machines = await catalog.database.read((sql) => catalog.machines.list(sql), signal);
    const wanted = new Map(
      machines.map(({ hostaddr, agentPort }) => {
        const at = { hostaddr, port: agentPort };
        return [colonAddress(at), at] as const;
      }),
    );
    for (const [key, agent] of this.#agents) {
      if (wanted.has(key)) continue;
      agent.abort.abort(new Error('the machine was deleted'));
      this.#agents.delete(key);
      if (this.#byHost.get(agent.at.hostaddr) === agent) this.#byHost.delete(agent.at.hostaddr);
    }
    for (const [key, at] of wanted) {
      if (this.#agents.has(key)) continue;
      const agent = this.#watch(at);
      this.#agents.set(key, agent);
      this.#byHost.set(at.hostaddr, agent);
    }
  }

  /**
   * Not only when a machine comes back: it may have been back already when its silence was recorded, and a removal may
   * have failed.
   */
  async #removePending(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const pending = await catalog.database.read((sql) => catalog.pendingRemovals.list(sql), signal);
    const hosts = new Set(pending.map(({ hostaddr }) => hostaddr));
    for (const agent of this.#agents.values()) {
      if (agent.online && hosts.has(agent.at.hostaddr)) this.#removeFrom(agent);
    }
  }

  #removeFrom(agent: WatchedAgent): void {
    agent.removal ??= removePending(this.#options, agent.at, agent.abort.signal).finally(() => {
      agent.removal = null;
    });
  }

  #watch(at: HostPort): WatchedAgent {
    const abort = new AbortController();
    const agent: WatchedAgent = {
      at,
      abort,
      online: false,
      heardAt: null,
      late: false,
      instances: new Map(),
      task: Promise.resolve(),
      removal: null,
    };
    agent.task = this.#follow(agent, abort.signal);
    return agent;
  }

  async #follow(agent: WatchedAgent, signal: AbortSignal): Promise<void> {
    const { agents, logger } = this.#options;
    while (!signal.aborted) {
      try {
        for await (const event of agents.at(agent.at).events(signal)) this.#take(agent, event);
      } catch (error) {
        if (!(error instanceof KlusterError)) throw error;
        if (agent.online) logger.warn({ agent: colonAddress(agent.at) }, `agent lost: ${errorText(error)}`);
        if (error.kind === 'stale_epoch') return;
      }
      this.#lost(agent);
      await sleep(reconnectMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #lost(agent: WatchedAgent): void {
    if (!agent.online) return;
    agent.online = false;
    for (const instance of agent.instances.values()) this.#options.onSuspicion(instance);
  }

  /** A machine that is lost says nothing; it does not even close its connections. */
  #suspectLate(): void {
    for (const agent of this.#agents.values()) {
      if (!agent.online || agent.late || agent.heardAt === null) continue;
      if (performance.now() - agent.heardAt < lateMs) continue;
      agent.late = true;
      for (const instance of agent.instances.values()) this.#options.onSuspicion(instance);
    }
  }

  #take(agent: WatchedAgent, event: AgentEvent): void {
    agent.heardAt = performance.now();
    agent.late = false;
    switch (event.type) {
      case 'hello':
        agent.online = true;
        this.#greet(agent, event.instances);
        this.#removeFrom(agent);
        return;
      case 'instance':
        this.#remember(agent, event.instance);
        return;
      case 'removed':
        agent.instances.delete(event.instanceId);
        return;
      case 'heartbeat':
        return;
    }
  }

  /** Whoever serves as before, or is not known yet, is no cause for hurry: the manager has looked, or is about to. */
  #greet(agent: WatchedAgent, instances: readonly InstanceView[]): void {
    const before = new Map(agent.instances);
    agent.instances.clear();
    for (const instance of instances) {
      const { instanceId, pid } = instance;
      const known = before.get(instanceId);
      const serves = instance.state === 'running' && instance.health?.answers !== false;
      if (serves && (known === undefined || known.pid === pid)) {
        agent.instances.set(instanceId, instance);
        this.#options.onNews(instance);
      } else this.#remember(agent, instance);
    }
  }

  #remember(agent: WatchedAgent, instance: InstanceView): void {
    agent.instances.set(instance.instanceId, instance);
    this.#options.onSuspicion(instance);
  }
}
