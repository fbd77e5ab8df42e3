import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { clusterScope } from '../catalog/credentials.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ShardId } from '../core/ids.ts';
import type { HostPort, Shard } from '../core/model.ts';
import { KeyedMutex } from '../jobs/keyed-mutex.ts';
import type { ShardGate } from '../jobs/services.ts';
import { diagnose } from './diagnose.ts';
import type { Diagnosis } from './diagnosis.ts';
import { observeNode } from './observe-node.ts';
import { observeRoutes } from './routes.ts';
import { repairShard } from './repair-shard.ts';
import { sameAddress, type NodeObservation } from './shard-observation.ts';

export interface ShardWatchOptions {
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** Called when the catalog says that another manager leads. */
  onLostOffice(error: KlusterError): void;
}

const tickMs = 250;
/** A healthy shard that nobody suspects. */
const healthyIntervalMs = 30_000;
/** After an action, or while something is not as it should be. */
const watchfulIntervalMs = 1000;
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
  /** When the recorded primary was first found silent; null while it answers. */
  primarySilentSince: number | null;
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
  #refreshAt = 0;
  #loop: Promise<void> | null = null;

  constructor(options: ShardWatchOptions) {
    this.#options = options;
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

  /** Something happened to the instance at this address: look now. */
  suspect(at: HostPort): void {
    this.#refreshAt = 0;
    for (const watched of this.#shards.values()) {
      if (watched.addresses.some((address) => sameAddress(address, at))) watched.suspected = true;
    }
  }

  async alone<T>(shard: ShardId, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#turns.run(String(shard), work);
    } finally {
      const watched = this.#shards.get(shard);
      if (watched !== undefined) watched.suspected = true;
    }
  }

  /** The last diagnosis of every shard looked at so far. */
  diagnoses(): ReadonlyMap<ShardId, Diagnosis> {
    const entries = [...this.#shards].flatMap(([id, { diagnosis }]) =>
      diagnosis === null ? [] : [[id, diagnosis] as const],
    );
    return new Map(entries);
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#tick(signal);
        await sleep(tickMs, undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KlusterError && error.kind === 'stale_epoch') {
          this.#options.onLostOffice(error);
          return;
        }
        this.#options.logger.warn({ err: error }, 'the shards could not be read; trying again');
        await sleep(watchfulIntervalMs, undefined, { signal }).catch(() => undefined);
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
        });
      }
    }
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
          primarySilentSince: null,
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
      if (diagnosis.state !== watched.diagnosis?.state) {
        logger.info({ shard: shard.name, cluster: shard.clusterId, ...diagnosis }, diagnosis.reason);
      }
      watched.diagnosis = diagnosis;
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
    const { shard } = watched;
    const { cluster, nodes, comps, accounts } = await catalog.database.read(async (sql) => {
      return {
        cluster: await catalog.clusters.find(sql, shard.clusterId),
        nodes: await catalog.storageNodes.list(sql, { shardId: shard.id }),
        comps: await catalog.computeNodes.list(sql, { clusterId: shard.clusterId }),
        accounts: await catalog.credentials.list(sql, clusterScope(shard.clusterId)),
      };
    }, signal);
    watched.addresses = [...nodes, ...comps];
    const account = accounts.get('management');
    // The jobs that make and delete a cluster look after their own nodes.
    const serving = nodes.filter((node) => node.status === 'active' || node.status === 'inactive');
    if (cluster === undefined || account === undefined || serving.length === 0) return notServing;
    const { name, fullsyncLevel } = shard;
    const observed = await Promise.all(
      serving.map((node) => observeNode(node, cluster.haMode, account, signal)),
    );
    const diagnosis = diagnose({
      name,
      haMode: cluster.haMode,
      fullsyncLevel,
      nodes: observed,
      primarySilentMs: primarySilence(watched, observed),
      routes: await observeRoutes({ shard, comps, accounts }, signal),
    });
    if (diagnosis.action !== null) {
      await repairShard({ shard, account, accounts, catalog }, diagnosis.action, signal);
    }
    return diagnosis;
  }
}

/** After an action comes the next one: a failover is a row of them. */
function intervalAfter(diagnosis: Diagnosis): number {
  if (diagnosis.state === 'healthy') return healthyIntervalMs;
  return diagnosis.action === null ? watchfulIntervalMs : 0;
}

/** How long the recorded primary has been silent; remembers when that began. */
function primarySilence(watched: Watched, nodes: readonly NodeObservation[]): number {
  const primary = nodes.find(({ node }) => node.memberState === 'source');
  if (primary === undefined || primary.answer !== null) {
    watched.primarySilentSince = null;
    return 0;
  }
  watched.primarySilentSince ??= performance.now();
  return performance.now() - watched.primarySilentSince;
}
