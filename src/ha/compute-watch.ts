import type { Catalog } from '../catalog/catalog.ts';
import type { TopologyState } from '../catalog/topology.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ComputeNodeId } from '../core/ids.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import { AddressBook } from './address-book.ts';
import type { NextLook } from './look-queue.ts';
import { proveCompute } from './prove-compute.ts';
import { pushTopology } from './push-topology.ts';
import { isStaleEpoch, spread, WatchLoop, type WatchContext } from './watch-loop.ts';

export interface ComputeWatchOptions extends WatchContext {
  readonly catalog: Catalog;
}

const limits = { routine: 16, urgent: 32 };
/** How often those are read that lack something. */
const refreshMs = 500;
/** And all. */
const refreshAllMs = 5000;
/** A compute node that has everything and that nobody suspects. */
const quietIntervalMs = 30_000;
/** After a failure, doubling. */
const firstRetryMs = 500;
const longestRetryMs = 10_000;
const pushDeadlineMs = 60_000;
/** Between two proofs of a compute node that serves. */
const proofIntervalMs = 10_000;
/** And of one that the catalog called inactive when it was last read. */
const doubtIntervalMs = 2000;
const proofDeadlineMs = 60_000;
/** One failure may be chance. */
const faultsUntilInactive = 2;

interface Watched {
  comp: TopologyState;
  /** In a row: attempts to tell it what it must know. */
  failures: number;
  /** In a row: proofs, by its own fault. */
  faults: number;
}

/**
 * The reader of the outbox of topology: tells every compute node of each change until it has it. One that was restarted is
 * told again, whatever it is thought to know. A compute node that does not answer, or cannot read a shard whose primary the
 * manager reads, is recorded as inactive, until `proveCompute` succeeds.
 */
export class ComputeWatch {
  readonly #options: ComputeWatchOptions;
  readonly #comps = new Map<ComputeNodeId, Watched>();
  readonly #addresses = new AddressBook<ComputeNodeId>();
  readonly #telling: WatchLoop<ComputeNodeId>;
  /** Beside telling: a read may wait for a shard, and what a compute node must know may not. */
  readonly #proving: WatchLoop<ComputeNodeId>;
  #refreshAllAt = 0;

  constructor(options: ComputeWatchOptions) {
    this.#options = options;
    this.#telling = new WatchLoop(options, {
      subject: 'topologies of compute nodes',
      limits,
      refreshMs,
      refresh: (signal) => this.#refresh(signal),
      look: (id, { signal }) => this.#tell(id, signal),
      failed: (id, error) => this.#notTold(id, error),
    });
    this.#proving = new WatchLoop(options, {
      subject: 'compute nodes',
      limits,
      look: (id, { signal }) => this.#prove(id, signal),
      failed: () => ({ inMs: longestRetryMs }),
    });
  }

  start(): void {
    this.#telling.start();
    this.#proving.start();
  }

  /** Ends the loops and waits for what they have begun. */
  async stop(): Promise<void> {
    await Promise.all([this.#telling.stop(), this.#proving.stop()]);
  }

  /** Something happened to the instance at this address: tell it again now, and see whether it serves. */
  suspect(at: HostPort): void {
    for (const id of this.#addresses.at(at)) {
      this.#telling.urge(id);
      this.#proving.urge(id);
    }
  }

  /** The instance at this address is heard of, and serves. */
  hear(at: HostPort): void {
    for (const id of this.#addresses.at(at)) {
      this.#telling.bringForward(id);
      this.#proving.bringForward(id);
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { database, topologies } = this.#options.catalog;
    if (performance.now() < this.#refreshAllAt) {
      const behind = await database.read((sql) => topologies.behind(sql), signal);
      for (const comp of behind) this.#know(comp);
      return;
    }
    const all = await database.read((sql) => topologies.states(sql), signal);
    const known = new Set(all.map(({ id }) => id));
    this.#proving.removeOthers(known);
    for (const id of this.#telling.removeOthers(known)) {
      this.#comps.delete(id);
      this.#addresses.remove(id);
    }
    for (const comp of all) this.#know(comp);
    this.#refreshAllAt = performance.now() + refreshAllMs;
  }

  #know(comp: TopologyState): void {
    const { id } = comp;
    const watched = this.#comps.get(id) ?? { comp, failures: 0, faults: 0 };
    watched.comp = comp;
    this.#comps.set(id, watched);
    this.#addresses.put(id, [comp]);
    this.#telling.add(id);
    this.#proving.add(id);
    // After a failure the pause holds.
    if (comp.isBehind && watched.failures === 0) this.#telling.urge(id);
  }

  async #tell(id: ComputeNodeId, signal: AbortSignal): Promise<NextLook> {
    const watched = this.#comps.get(id);
    await withDeadline(pushDeadlineMs, signal, (bounded) => pushTopology(this.#options.catalog, id, bounded));
    if (watched === undefined) return spread(quietIntervalMs);
    const { comp, failures } = watched;
    if (failures > 0)
      this.#options.logger.info({ comp: comp.name, cluster: comp.clusterId }, 'compute node told');
    watched.failures = 0;
    return spread(quietIntervalMs);
  }

  #notTold(id: ComputeNodeId, error: unknown): NextLook {
    const watched = this.#comps.get(id);
    if (watched === undefined) return { inMs: longestRetryMs };
    watched.failures += 1;
    const { comp, failures } = watched;
    if (failures === 1) {
      const where = { comp: comp.name, cluster: comp.clusterId, at: colonAddress(comp) };
      this.#options.logger.warn(
        where,
        `the compute node will be told of its cluster later: ${errorText(error)}`,
      );
    }
    return { inMs: retryMs(failures) };
  }

  async #prove(id: ComputeNodeId, signal: AbortSignal): Promise<NextLook> {
    const { catalog, logger } = this.#options;
    const watched = this.#comps.get(id);
    if (watched === undefined) return spread(proofIntervalMs);
    const { comp } = watched;
    try {
      await withDeadline(proofDeadlineMs, signal, (bounded) => proveCompute(catalog, id, bounded));
    } catch (error) {
      if (signal.aborted || isStaleEpoch(error)) throw error;
      return this.#notProved(watched, error, signal);
    }
    if (watched.faults >= faultsUntilInactive)
      logger.info({ comp: comp.name, cluster: comp.clusterId }, 'compute node serves again');
    watched.faults = 0;
    return spread(comp.status === 'active' ? proofIntervalMs : doubtIntervalMs);
  }

  async #notProved(watched: Watched, error: unknown, signal: AbortSignal): Promise<NextLook> {
    const { comp } = watched;
    if (isFault(error)) watched.faults += 1;
    if (watched.faults === faultsUntilInactive) {
      const where = { comp: comp.name, cluster: comp.clusterId, at: colonAddress(comp) };
      this.#options.logger.warn(where, `the compute node does not serve: ${errorText(error)}`);
    }
    if (isFault(error) && watched.faults >= faultsUntilInactive) await this.#setInactive(comp, signal);
    return { inMs: retryMs(Math.max(watched.faults, 1)) };
  }

  /** Repeated at every failure: a job may have proved it meanwhile. */
  async #setInactive(comp: TopologyState, signal: AbortSignal): Promise<void> {
    const { catalog, logger } = this.#options;
    try {
      await catalog.database.write((sql) => catalog.topologies.recordSilent(sql, comp.id), signal);
    } catch (error) {
      if (signal.aborted || isStaleEpoch(error)) throw error;
      logger.warn({ err: error, comp: comp.name }, 'that a compute node does not serve is not recorded yet');
    }
  }
}

const retryMs = (failures: number): number =>
  Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 10));

/** It does not answer, or alone cannot read a shard; what it refuses otherwise, and faults of the metadata are not its own. */
function isFault(error: unknown): boolean {
  if (error instanceof EngineSqlError) return error.connectionLost;
  return error instanceof KlusterError && error.kind === 'engine_sql';
}
