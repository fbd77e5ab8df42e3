import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { jobsUnderLock } from '../catalog/jobs.ts';
import type { AgentClients } from '../client/agent.ts';
import { clusterScope } from '../catalog/credentials.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ShardId } from '../core/ids.ts';
import type { HostPort, Shard, StorageNode } from '../core/model.ts';
import { faultPointsOf, type FaultPoint } from '../jobs/fault-points.ts';
import { KeyedMutex } from '../jobs/keyed-mutex.ts';
import type { ShardGate, ShardWord } from '../jobs/services.ts';
import { Alarm } from './alarm.ts';
import { diagnose } from './diagnose.ts';
import type { Diagnosis } from './diagnosis.ts';
import { observeShard, type ShardRecord, type ShardWitnesses } from './observe-shard.ts';
import type { RepairContext } from './repair-context.ts';
import { repairShard } from './repair-shard.ts';
import {
  defaultFailoverPolicy,
  sameAddress,
  type AgentReport,
  type FailoverPolicy,
} from './shard-observation.ts';
import { Silences } from './silences.ts';
import { Since } from './since.ts';
import { Starvation } from './starvation.ts';

export interface ShardWatchOptions {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
  /** What the agent of the node's machine says about it. */
  report(node: StorageNode): AgentReport | null;
  readonly submit: RepairContext['submit'];
  readonly failoverPolicy?: FailoverPolicy;
  /** Default: those that the environment asks for. */
  readonly faultPoint?: FaultPoint;
  /** Called when the catalog says that another manager leads. */
  onLostOffice(error: KlusterError): void;
}

const tickMs = 250;
/** A healthy shard that nobody suspects. */
const healthyIntervalMs = 30_000;
/** After an action, or while something is not as it should be. */
const watchfulIntervalMs = 1000;
/** While the primary does not answer, or waits for its replicas to connect. */
const urgentIntervalMs = 100;
const failoverWindowSeconds = 3600;
/** One look and one action. */
const checkDeadlineMs = 90_000;
/** How often new and deleted shards are noticed when no agent reports anything. */
const refreshMs = 5000;

const notServing: Diagnosis = { state: 'healthy', reason: 'no node serves yet or any more', action: null };

interface Watched {
  readonly shard: Shard;
  /** Of its storage nodes and of the cluster's compute nodes, as last read. */
  addresses: readonly HostPort[];
  dueAt: number;
  readonly silences: Silences;
  readonly breaks: Silences;
  readonly starvation: Starvation;
  readonly isolation: Since;
  readonly primaryDisk: Since;
  /** Something happened while a check was running: look again at once. */
  suspected: boolean;
  running: Promise<void> | null;
  diagnosis: Diagnosis | null;
}

/**
 * Keeps every shard in its roles: observe, diagnose, at most one action, again. A shard is looked at when something is
 * suspected (an agent reported a change, the manager has just started), while it is not healthy, and every 30 s.
 */
export class ShardWatch implements ShardGate {
  readonly #options: ShardWatchOptions;
  readonly #abort = new AbortController();
  readonly #shards = new Map<ShardId, Watched>();
  readonly #turns = new KeyedMutex();
  readonly #alarm = new Alarm();
  readonly #witnesses: ShardWitnesses;
  readonly #faultPoint: FaultPoint;
  #refreshAt = 0;
  #loop: Promise<void> | null = null;

  constructor(options: ShardWatchOptions) {
    this.#options = options;
    const { failoverPolicy = defaultFailoverPolicy } = options;
    this.#faultPoint = options.faultPoint ?? faultPointsOf(process.env);
    this.#witnesses = { failoverPolicy, report: (node) => options.report(node) };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends the loop and waits for the checks that run. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the shard watch was stopped'));
    await this.#loop;
    await Promise.allSettled([...this.#shards.values()].flatMap(({ running }) => running ?? []));
  }

  /** Something happened to the instance at this address: look now. An address of no known shard may be one of a new one. */
  suspect(at: HostPort): void {
    let known = false;
    for (const watched of this.#shards.values()) {
      if (!watched.addresses.some((address) => sameAddress(address, at))) continue;
      watched.suspected = true;
      known = true;
    }
    if (known) this.#alarm.ring();
    else this.#refreshAt = 0;
  }

  async alone<T>(shard: ShardId, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#turns.run(String(shard), work);
    } finally {
      const watched = this.#shards.get(shard);
      if (watched !== undefined) watched.suspected = true;
    }
  }

  lastWord(shard: ShardId): ShardWord | null {
    return this.#shards.get(shard)?.diagnosis ?? null;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#tick(signal);
        await this.#alarm.sleep(this.#untilDue(), signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KlusterError && error.kind === 'stale_epoch') {
          this.#options.onLostOffice(error);
          return;
        }
        this.#options.logger.warn({ err: error }, 'the shards could not be read; trying again');
        await this.#alarm.sleep(watchfulIntervalMs, signal);
      }
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (now >= this.#refreshAt) {
      await this.#refresh(signal);
      this.#refreshAt = now + refreshMs;
    }
    for (const watched of this.#shards.values()) {
      if (watched.running === null && (watched.suspected || now >= watched.dueAt)) {
        watched.suspected = false;
        watched.running = this.#check(watched, signal).finally(() => {
          watched.running = null;
          this.#alarm.ring();
        });
      }
    }
  }

  #untilDue(): number {
    const now = performance.now();
    let next = now + tickMs;
    for (const { running, dueAt } of this.#shards.values()) {
      if (running === null && dueAt < next) next = dueAt;
    }
    return Math.max(0, next - now);
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const shards = await catalog.database.read((sql) => catalog.shards.list(sql), signal);
    const known = new Set(shards.map((shard) => shard.id));
    for (const id of this.#shards.keys()) if (!known.has(id)) this.#shards.delete(id);
    for (const shard of shards) {
      if (!this.#shards.has(shard.id)) {
        this.#shards.set(shard.id, {
          shard,
          addresses: [],
          dueAt: 0,
          silences: new Silences(),
          breaks: new Silences(),
          starvation: new Starvation(),
          isolation: new Since(),
          primaryDisk: new Since(),
          suspected: false,
          running: null,
          diagnosis: null,
        });
      }
    }
  }

  async #check(watched: Watched, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    const { shard } = watched;
    try {
      const diagnosis = await this.#turns.run(String(shard.id), () =>
        withDeadline(checkDeadlineMs, signal, (bounded) => this.#observeAndRepair(watched, bounded)),
      );
      this.#tell(watched, diagnosis);
      watched.dueAt = performance.now() + intervalAfter(diagnosis);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof KlusterError && error.kind === 'stale_epoch') this.#options.onLostOffice(error);
      logger.warn(
        { shard: shard.name, cluster: shard.clusterId },
        `shard not repaired yet: ${errorText(error)}`,
      );
      watched.dueAt = performance.now() + watchfulIntervalMs;
    }
  }

  async #observeAndRepair(watched: Watched, signal: AbortSignal): Promise<Diagnosis> {
    const { catalog } = this.#options;
    const faultPoint = this.#faultPoint;
    const record = await this.#read(watched, signal);
    if (record === null) return notServing;
    const observation = await observeShard(
      record,
      {
        witnesses: this.#witnesses,
        silences: watched.silences,
        breaks: watched.breaks,
        starvation: watched.starvation,
        isolation: watched.isolation,
        primaryDisk: watched.primaryDisk,
      },
      signal,
    );
    const diagnosis = diagnose(observation);
    const { agents, submit } = this.#options;
    const context = { ...record, catalog, agents, submit, faultPoint };
    if (diagnosis.rebuild !== undefined) await repairShard(context, diagnosis.rebuild, signal);
    if (diagnosis.action !== null) {
      // Told before it is done: what an action that hangs was meant for must be known.
      this.#tell(watched, diagnosis);
      await repairShard(context, diagnosis.action, signal);
    }
    return diagnosis;
  }

  /** Null while no node of the shard serves. */
  async #read(watched: Watched, signal: AbortSignal): Promise<ShardRecord | null> {
    const { catalog } = this.#options;
    const { id, clusterId } = watched.shard;
    const { shard, cluster, nodes, making, comps, accounts, recentFailovers, noSwitchUntil } =
      await catalog.database.read(
        async (sql) => ({
          shard: await catalog.shards.find(sql, id),
          cluster: await catalog.clusters.find(sql, clusterId),
          making: await jobsUnderLock(sql, `cluster:${String(clusterId)}`),
          nodes: await catalog.storageNodes.list(sql, { shardId: id }),
          comps: await catalog.computeNodes.list(sql, { clusterId }),
          accounts: await catalog.credentials.list(sql, clusterScope(clusterId)),
          noSwitchUntil: await catalog.noSwitches.until(sql, clusterId, id),
          recentFailovers: await catalog.failovers.countAutomatic(sql, id, failoverWindowSeconds),
        }),
        signal,
      );
    watched.addresses = [...nodes, ...comps];
    const account = accounts.get('management');
    // Jobs that make, rebuild and delete nodes look after them.
    const serving = nodes.filter((node) => node.status === 'active' || node.status === 'inactive');
    const stopped = nodes.filter((node) => node.status === 'manual_stop' || node.isAbsentHolder);
    const unfinished = making.length > 0 ? [] : nodes.filter((node) => node.status === 'creating');
    if (shard === undefined || cluster === undefined || account === undefined || serving.length === 0)
      return null;
    return {
      shard,
      cluster,
      nodes: serving,
      stopped,
      unfinished,
      comps,
      account,
      accounts,
      recentFailovers,
      noSwitchUntil,
    };
  }

  #tell(watched: Watched, diagnosis: Diagnosis): void {
    const { name, clusterId } = watched.shard;
    if (diagnosis.state !== watched.diagnosis?.state) {
      this.#options.logger.info({ shard: name, cluster: clusterId, ...diagnosis }, diagnosis.reason);
    }
    watched.diagnosis = diagnosis;
  }
}

/** Milliseconds until the next look. After an action comes the next one. */
function intervalAfter(diagnosis: Diagnosis): number {
  if (diagnosis.state === 'healthy') return healthyIntervalMs;
  const { action } = diagnosis;
  if (diagnosis.state === 'primary_unreachable') return urgentIntervalMs;
  if (diagnosis.state === 'primary_held' && action === null) return urgentIntervalMs;
  // A job that was asked for takes its time.
  return action === null || action.kind === 'rebuild' ? watchfulIntervalMs : 0;
}
