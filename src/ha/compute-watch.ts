import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { TopologyState } from '../catalog/topology.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ComputeNodeId } from '../core/ids.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import { proveCompute } from './prove-compute.ts';
import { pushTopology } from './push-topology.ts';
import { sameAddress } from './shard-observation.ts';

export interface ComputeWatchOptions {
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** Called when the catalog says that another manager leads. */
  onLostOffice(error: KlusterError): void;
}

const tickMs = 500;
/** How often all compute nodes are read, not only those that lack something. */
const refreshMs = 5000;
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
  dueAt: number;
  /** In a row. */
  failures: number;
  running: Promise<void> | null;
  readonly proof: Proof;
}

/** That a compute node serves is seen beside telling it: a read may wait for a shard, and what it must know may not. */
interface Proof {
  dueAt: number;
  /** In a row. */
  faults: number;
  running: Promise<void> | null;
}

/**
 * The reader of the outbox of topology: tells every compute node of each change until it has it. One that was restarted is
 * told again, whatever it is thought to know. A compute node that does not answer, or cannot read a shard whose primary the
 * manager reads, is recorded as inactive, until `proveCompute` succeeds.
 */
export class ComputeWatch {
  readonly #options: ComputeWatchOptions;
  readonly #abort = new AbortController();
  readonly #comps = new Map<ComputeNodeId, Watched>();
  #refreshAt = 0;
  #loop: Promise<void> | null = null;

  constructor(options: ComputeWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends the loop and waits for what it has begun. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the compute watch was stopped'));
    await this.#loop;
    const all = [...this.#comps.values()];
    await Promise.allSettled(
      all.flatMap(({ running, proof }) => [running ?? [], proof.running ?? []].flat()),
    );
  }

  /** Something happened to the instance at this address: tell it again now, and see whether it serves. */
  suspect(at: HostPort): void {
    for (const watched of this.#comps.values()) {
      if (!sameAddress(watched.comp, at)) continue;
      watched.dueAt = 0;
      watched.proof.dueAt = 0;
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#tick(signal);
      } catch (error) {
        if (signal.aborted || this.#hasLostOffice(error)) return;
        this.#options.logger.warn({ err: error }, 'the compute nodes could not be read; trying again');
      }
      await sleep(tickMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const now = performance.now();
    if (now >= this.#refreshAt) {
      const all = await catalog.database.read((sql) => catalog.topologies.states(sql), signal);
      this.#forgetOthers(new Set(all.map(({ id }) => id)));
      for (const comp of all) this.#know(comp);
      this.#refreshAt = now + refreshMs;
    } else {
      const behind = await catalog.database.read((sql) => catalog.topologies.behind(sql), signal);
      for (const comp of behind) this.#know(comp);
    }
    for (const watched of this.#comps.values()) {
      const { proof } = watched;
      if (watched.running === null && now >= watched.dueAt) {
        watched.running = this.#tell(watched, signal).finally(() => {
          watched.running = null;
        });
      }
      if (proof.running === null && now >= proof.dueAt) {
        proof.running = this.#prove(watched, signal).finally(() => {
          proof.running = null;
        });
      }
    }
  }

  #know(comp: TopologyState): void {
    const watched = this.#comps.get(comp.id);
    if (watched === undefined) {
      const proof = { dueAt: 0, faults: 0, running: null };
      this.#comps.set(comp.id, { comp, dueAt: 0, failures: 0, running: null, proof });
      return;
    }
    watched.comp = comp;
    // After a failure the pause holds.
    if (comp.isBehind && watched.failures === 0) watched.dueAt = 0;
  }

  #forgetOthers(known: ReadonlySet<ComputeNodeId>): void {
    for (const id of this.#comps.keys()) if (!known.has(id)) this.#comps.delete(id);
  }

  async #tell(watched: Watched, signal: AbortSignal): Promise<void> {
    const { catalog, logger } = this.#options;
    const { comp } = watched;
    try {
      await withDeadline(pushDeadlineMs, signal, (bounded) => pushTopology(catalog, comp.id, bounded));
      if (watched.failures > 0)
        logger.info({ comp: comp.name, cluster: comp.clusterId }, 'compute node told');
      watched.failures = 0;
      watched.dueAt = performance.now() + quietIntervalMs;
    } catch (error) {
      if (signal.aborted || this.#hasLostOffice(error)) return;
      watched.failures += 1;
      watched.dueAt = performance.now() + retryMs(watched.failures);
      if (watched.failures > 1) return;
      const where = { comp: comp.name, cluster: comp.clusterId, at: colonAddress(comp) };
      logger.warn(where, `the compute node will be told of its cluster later: ${errorText(error)}`);
    }
  }

  async #prove({ comp, proof }: Watched, signal: AbortSignal): Promise<void> {
    const { catalog, logger } = this.#options;
    try {
      await withDeadline(proofDeadlineMs, signal, (bounded) => proveCompute(catalog, comp.id, bounded));
      if (proof.faults >= faultsUntilInactive)
        logger.info({ comp: comp.name, cluster: comp.clusterId }, 'compute node serves again');
      proof.faults = 0;
      proof.dueAt = performance.now() + (comp.status === 'active' ? proofIntervalMs : doubtIntervalMs);
    } catch (error) {
      if (signal.aborted || this.#hasLostOffice(error)) return;
      if (isFault(error)) proof.faults += 1;
      proof.dueAt = performance.now() + retryMs(Math.max(proof.faults, 1));
      if (proof.faults === faultsUntilInactive) {
        const where = { comp: comp.name, cluster: comp.clusterId, at: colonAddress(comp) };
        logger.warn(where, `the compute node does not serve: ${errorText(error)}`);
      }
      if (isFault(error) && proof.faults >= faultsUntilInactive) await this.#setInactive(comp, signal);
    }
  }

  /** Repeated at every failure: a job may have proved it meanwhile. */
  async #setInactive(comp: TopologyState, signal: AbortSignal): Promise<void> {
    const { catalog, logger } = this.#options;
    try {
      await catalog.database.write((sql) => catalog.topologies.recordSilent(sql, comp.id), signal);
    } catch (error) {
      if (signal.aborted || this.#hasLostOffice(error)) return;
      logger.warn({ err: error, comp: comp.name }, 'that a compute node does not serve is not recorded yet');
    }
  }

  #hasLostOffice(error: unknown): boolean {
    if (!(error instanceof KlusterError) || error.kind !== 'stale_epoch') return false;
    this.#options.onLostOffice(error);
    return true;
  }
}

const retryMs = (failures: number): number =>
  Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 10));

/** It does not answer, or alone cannot read a shard; what it refuses otherwise, and faults of the metadata are not its own. */
function isFault(error: unknown): boolean {
  if (error instanceof EngineSqlError) return error.connectionLost;
  return error instanceof KlusterError && error.kind === 'engine_sql';
}
