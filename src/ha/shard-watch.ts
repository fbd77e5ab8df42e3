import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { ShardId } from '../core/ids.ts';
import type { HostPort, Shard, StorageNode } from '../core/model.ts';
import { faultPointsOf, type FaultPoint } from '../jobs/fault-points.ts';
import { KeyedMutex } from '../jobs/keyed-mutex.ts';
import type { ShardGate, ShardWord } from '../jobs/services.ts';
import { AddressBook } from './address-book.ts';
import { diagnose } from './diagnose.ts';
import type { Diagnosis, ShardAction } from './diagnosis.ts';
import { HungFollows } from './hung-follows.ts';
import { killServer } from './kill-server.ts';
import { observeShard, type ShardRecord, type ShardWitnesses } from './observe-shard.ts';
import { areWatched, routineLook, type Pace } from './pace.ts';
import type { RepairContext } from './repair-context.ts';
import type { NextLook } from './look-queue.ts';
import { repairShard } from './repair-shard.ts';
import { defaultFailoverPolicy, type AgentReport, type FailoverPolicy } from './shard-observation.ts';
import { Silences } from './silences.ts';
import { Since } from './since.ts';
import { unfinishedNodes } from './unfinished-nodes.ts';
import { WatchLoop, type Look, type WatchContext } from './watch-loop.ts';

export interface ShardWatchOptions extends WatchContext {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  /** What the agent of the node's machine says about it. */
  readonly report: (node: StorageNode) => AgentReport | null;
  readonly submit: RepairContext['submit'];
  readonly failoverPolicy?: FailoverPolicy;
  /** Default: those that the environment asks for. */
  readonly faultPoint?: FaultPoint;
}

/** Each asks three nodes, as a rule. */
const limits = { routine: 16, urgent: 64 };
/** A healthy shard that nobody suspects. */
const healthyPace: Pace = { unwatchedMs: 30_000, watchedMs: 120_000 };
/** After an action, or while something is not as it should be. */
const watchfulIntervalMs = 1000;
/** While the primary does not answer, or waits for its replicas to connect. */
const urgentIntervalMs = 100;
/** One look and one action. */
const checkDeadlineMs = 90_000;
/** How often new and deleted shards are noticed when no agent reports anything. */
const refreshMs = 5000;

const notServing: Diagnosis = { state: 'healthy', reason: 'no node serves yet or any more', action: null };

interface Watched {
  readonly shard: Shard;
  /** Changes when the catalog says something else of it than before. */
  revision: string;
  readonly silences: Silences;
  readonly breaks: Silences;
  readonly starvation: Since;
  readonly isolation: Since;
  readonly primaryDisk: Since;
  readonly hungFollows: HungFollows;
  /** That serve, as last read. */
  nodes: readonly StorageNode[];
  diagnosis: Diagnosis | null;
}

/**
 * Keeps every shard in its roles: observe, diagnose, at most one action, again. A shard is looked at when something is
 * suspected (an agent reported a change, the manager has just started), when what the catalog says of it has changed, while
 * it is not healthy, and now and then: how often depends on whether its agents would tell (`pace.ts`).
 */
export class ShardWatch implements ShardGate {
  readonly #options: ShardWatchOptions;
  readonly #loop: WatchLoop<ShardId>;
  readonly #shards = new Map<ShardId, Watched>();
  /** Of their storage nodes and of their clusters' compute nodes, as last read. */
  readonly #addresses = new AddressBook<ShardId>();
  readonly #turns = new KeyedMutex();
  readonly #witnesses: ShardWitnesses;
  readonly #faultPoint: FaultPoint;

  constructor(options: ShardWatchOptions) {
    this.#options = options;
    const { failoverPolicy = defaultFailoverPolicy } = options;
    this.#faultPoint = options.faultPoint ?? faultPointsOf(process.env);
    this.#witnesses = { failoverPolicy, report: options.report };
    this.#loop = new WatchLoop(options, {
      subject: 'shards',
      limits,
      refreshMs,
      refresh: (signal) => this.#refresh(signal),
      look: (id, look) => this.#check(id, look),
      failed: (id, error) => this.#failed(id, error),
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Ends the loop and waits for the checks that run. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Something happened to the instance at this address: look now. An address of no known shard may be one of a new one. */
  suspect(at: HostPort): void {
    const shards = this.#addresses.at(at);
    for (const id of shards) this.#loop.urge(id);
    if (shards.length === 0) this.#loop.refreshSoon();
  }

  /** The instance at this address is heard of, and serves: look, after what cannot wait. */
  hear(at: HostPort): void {
    const shards = this.#addresses.at(at);
    for (const id of shards) this.#loop.bringForward(id);
    if (shards.length === 0) this.#loop.refreshSoon();
  }

  alone<T>(shard: ShardId, work: () => Promise<T>): Promise<T> {
    return this.#loop.without(shard, () => this.#turns.run(String(shard), work));
  }

  lastWord(shard: ShardId): ShardWord | null {
    return this.#shards.get(shard)?.diagnosis ?? null;
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const { shards, generations } = await catalog.database.read(
      async (sql) => ({
        shards: await catalog.shards.list(sql),
        generations: await catalog.topologies.generations(sql),
      }),
      signal,
    );
    await this.#locate(
      shards.filter(({ id }) => !this.#shards.has(id)),
      signal,
    );
    for (const id of this.#loop.removeOthers(new Set(shards.map((shard) => shard.id)))) {
      this.#shards.delete(id);
      this.#addresses.remove(id);
    }
    for (const shard of shards) {
      const revision = JSON.stringify([shard, generations.get(shard.clusterId)]);
      const watched = this.#shards.get(shard.id);
      if (watched === undefined) {
        this.#shards.set(shard.id, {
          shard,
          revision,
          silences: new Silences(),
          breaks: new Silences(),
          starvation: new Since(),
          isolation: new Since(),
          primaryDisk: new Since(),
          hungFollows: new HungFollows(),
          nodes: [],
          diagnosis: null,
        });
      } else if (watched.revision !== revision) {
        watched.revision = revision;
        this.#loop.bringForward(shard.id);
      }
      this.#loop.add(shard.id);
    }
  }

  /** What happens to nodes of new shards is understood before the first look at them. */
  async #locate(shards: readonly Shard[], signal: AbortSignal): Promise<void> {
    if (shards.length === 0) return;
    const { catalog } = this.#options;
    const ids = shards.map(({ id }) => id);
    const nodes = await catalog.database.read((sql) => catalog.storageNodes.listOfShards(sql, ids), signal);
    const addresses = new Map<ShardId, HostPort[]>();
    for (const node of nodes) addresses.set(node.shardId, [...(addresses.get(node.shardId) ?? []), node]);
    for (const [id, at] of addresses) this.#addresses.put(id, at);
  }

  async #check(id: ShardId, look: Look): Promise<NextLook> {
    const watched = this.#shards.get(id);
    if (watched === undefined) return { inMs: watchfulIntervalMs };
    const diagnosis = await this.#turns.run(String(id), () =>
      withDeadline(checkDeadlineMs, look.signal, (signal) =>
        this.#observeAndRepair(watched, { ...look, signal }),
      ),
    );
    this.#tell(watched, diagnosis);
    if (diagnosis.state !== 'healthy') return nextLook(diagnosis);
    return routineLook(healthyPace, areWatched(watched.nodes, this.#options.report));
  }

  #failed(id: ShardId, error: unknown): NextLook {
    const shard = this.#shards.get(id)?.shard;
    this.#options.logger.warn(
      { shard: shard?.name, cluster: shard?.clusterId },
      `shard not repaired yet: ${errorText(error)}`,
    );
    return { inMs: watchfulIntervalMs };
  }

  async #observeAndRepair(watched: Watched, { signal, freePlace }: Look): Promise<Diagnosis> {
    const { catalog } = this.#options;
    const faultPoint = this.#faultPoint;
    const record = await this.#read(watched, signal);
    if (record === null) return notServing;
    const observation = await observeShard(record, { ...watched, witnesses: this.#witnesses }, signal);
    freePlace();
    const diagnosis = diagnose(observation);
    const { agents, submit } = this.#options;
    const context = { ...record, catalog, agents, submit, faultPoint };
    if (diagnosis.rebuild !== undefined) await repairShard(context, diagnosis.rebuild, signal);
    if (diagnosis.action !== null) {
      // Told before it is done: what an action that hangs was meant for must be known.
      this.#tell(watched, diagnosis);
      await this.#repair(watched, context, diagnosis.action, signal);
    }
    return diagnosis;
  }

  async #repair(
    { hungFollows }: Watched,
    context: RepairContext,
    action: ShardAction,
    signal: AbortSignal,
  ): Promise<void> {
    const repair = (): Promise<void> => repairShard(context, action, signal);
    if (action.kind !== 'follow') return repair();
    const kill = (): Promise<void> => killServer(context, action.node, signal);
    await hungFollows.attempt(action.node.id, repair, kill);
  }

  /** Null while no node of the shard serves. */
  async #read(watched: Watched, signal: AbortSignal): Promise<ShardRecord | null> {
    const { catalog } = this.#options;
    const { id } = watched.shard;
    const reading = await catalog.shardReadings.get(id, signal);
    if (reading === undefined) return null;
    const { nodes, comps } = reading;
    this.#addresses.put(id, [...nodes, ...comps]);
    const accounts = reading.accounts();
    const account = accounts.get('management');
    // Jobs that make, rebuild and delete nodes look after them.
    const serving = nodes.filter((node) => node.status === 'active' || node.status === 'inactive');
    const stopped = nodes.filter((node) => node.status === 'manual_stop' || node.isAbsentHolder);
    watched.nodes = serving;
    if (account === undefined || serving.length === 0) return null;
    const isMade = nodes.some(({ status }) => status === 'creating');
    const unfinished = isMade ? await unfinishedNodes(catalog, watched.shard, signal) : [];
    return { ...reading, nodes: serving, stopped, unfinished, account, accounts };
  }

  #tell(watched: Watched, diagnosis: Diagnosis): void {
    const { name, clusterId } = watched.shard;
    if (diagnosis.state !== watched.diagnosis?.state) {
      this.#options.logger.info({ shard: name, cluster: clusterId, ...diagnosis }, diagnosis.reason);
    }
    watched.diagnosis = diagnosis;
  }
}

/** While something is the matter; after an action comes the next one. */
function nextLook(diagnosis: Diagnosis): NextLook {
  if (diagnosis.state === 'primary_unreachable') return { inMs: urgentIntervalMs, urgent: true };
  if (diagnosis.state === 'primary_held' && diagnosis.action === null)
    return { inMs: urgentIntervalMs, urgent: true };
  // A job that was asked for takes its time.
  const { action } = diagnosis;
  if (action === null || action.kind === 'rebuild') return { inMs: watchfulIntervalMs };
  return { inMs: 0, urgent: true };
}
