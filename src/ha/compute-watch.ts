import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { TopologyState } from '../catalog/topology.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ComputeNodeId } from '../core/ids.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
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
/** One missed answer may be chance. */
const silencesUntilInactive = 2;

interface Watched {
  comp: TopologyState;
  dueAt: number;
  /** In a row. */
  failures: number;
  silences: number;
  running: Promise<void> | null;
}

/**
 * The reader of the outbox of topology: tells every compute node of each change until it has it. A compute node that
 * does not answer is recorded as inactive; it becomes active again when it has the newest topology. One that was
 * restarted is told again, whatever it is thought to know.
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
    await Promise.allSettled([...this.#comps.values()].flatMap(({ running }) => running ?? []));
  }

  /** Something happened to the instance at this address: tell it again now. */
  suspect(at: HostPort): void {
    for (const watched of this.#comps.values()) if (sameAddress(watched.comp, at)) watched.dueAt = 0;
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
      if (watched.running !== null || now < watched.dueAt) continue;
      watched.running = this.#tell(watched, signal).finally(() => {
        watched.running = null;
      });
    }
  }

  #know(comp: TopologyState): void {
    const watched = this.#comps.get(comp.id);
    if (watched === undefined) {
      this.#comps.set(comp.id, { comp, dueAt: 0, failures: 0, silences: 0, running: null });
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
      watched.silences = 0;
      watched.dueAt = performance.now() + quietIntervalMs;
    } catch (error) {
      if (signal.aborted || this.#hasLostOffice(error)) return;
      await this.#failed(watched, error, signal);
    }
  }

  async #failed(watched: Watched, error: unknown, signal: AbortSignal): Promise<void> {
    const { catalog, logger } = this.#options;
    const { comp } = watched;
    watched.silences = error instanceof EngineSqlError && error.connectionLost ? watched.silences + 1 : 0;
    watched.failures += 1;
    watched.dueAt =
      performance.now() + Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(watched.failures - 1, 10));
    if (watched.failures === 1) {
      const where = { comp: comp.name, cluster: comp.clusterId, at: colonAddress(comp) };
      logger.warn(where, `the compute node will be told of its cluster later: ${errorText(error)}`);
    }
    if (watched.silences !== silencesUntilInactive) return;
    try {
      await catalog.database.write((sql) => catalog.topologies.recordSilent(sql, comp.id), signal);
    } catch (fault) {
      if (signal.aborted || this.#hasLostOffice(fault)) return;
      watched.silences -= 1;
      logger.warn({ err: fault, comp: comp.name }, 'the silence of a compute node is not recorded yet');
    }
  }

  #hasLostOffice(error: unknown): boolean {
    if (!(error instanceof KlusterError) || error.kind !== 'stale_epoch') return false;
    this.#options.onLostOffice(error);
    return true;
  }
}
