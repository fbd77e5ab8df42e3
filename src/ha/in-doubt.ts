import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { clusterScope } from '../catalog/credentials.ts';
import type { Decision } from '../catalog/commit-log.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { parseBranchName, type GlobalTransaction } from '../core/global-transaction.ts';
import type { ShardId } from '../core/ids.ts';
import type { HostPort, Shard } from '../core/model.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { isSuperReadOnly } from '../engines/mysql/read-only.ts';
import { endBranch, preparedBranches } from '../engines/mysql/xa.ts';
import type { SqlAddress, SqlSession } from '../engines/sql.ts';
import { BranchAges } from './branch-ages.ts';

export interface InDoubtOptions {
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** Called when the catalog says that another manager leads. */
  onLostOffice(error: KlusterError): void;
  /** How long a branch is left to its compute node. Default: 10 s. */
  readonly graceMs?: number;
}

const defaultGraceMs = 10_000;
const tickMs = 250;
/** A shard without prepared branches. */
const quietIntervalMs = 15_000;
/** One with some, or one that something happened to. */
const watchfulIntervalMs = 1000;
/** After something happened: a compute node that died leaves branches, and so does a failover. */
const suspicionMs = 30_000;
const refreshMs = 5000;
const checkDeadlineMs = 30_000;
const connectTimeoutMs = 2000;

interface Watched {
  readonly shard: Shard;
  readonly ages: BranchAges;
  dueAt: number;
  /** The branches of unknown compute nodes that were reported. */
  reported: ReadonlySet<string>;
  isFailing: boolean;
  running: Promise<void> | null;
}

/**
 * Ends the branches that compute nodes have prepared and cannot end any more: by the decision in the commit log, or, when
 * there is none, by deciding to abort. A compute node that comes too late with its own decision is refused by the
 * log's unique key.
 */
export class InDoubtWatch {
  readonly #options: InDoubtOptions;
  readonly #abort = new AbortController();
  readonly #shards = new Map<ShardId, Watched>();
  #refreshAt = 0;
  #watchfulUntil = 0;
  #loop: Promise<void> | null = null;

  constructor(options: InDoubtOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends the loop and waits for the checks that run. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the watch of prepared transactions was stopped'));
    await this.#loop;
    await Promise.allSettled([...this.#shards.values()].flatMap(({ running }) => running ?? []));
  }

  /** Some instance ended or began: look often for a while. */
  suspect(): void {
    this.#watchfulUntil = performance.now() + suspicionMs;
    for (const watched of this.#shards.values()) watched.dueAt = 0;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#tick(signal);
      } catch (error) {
        if (signal.aborted || this.#hasLostOffice(error)) return;
        this.#options.logger.warn({ err: error }, 'the shards could not be read; trying again');
      }
      await sleep(tickMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (now >= this.#refreshAt) {
      await this.#refresh(signal);
      this.#refreshAt = now + refreshMs;
    }
    for (const watched of this.#shards.values()) {
      if (watched.running !== null || now < watched.dueAt) continue;
      watched.running = this.#check(watched, signal).finally(() => {
        watched.running = null;
      });
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const shards = await catalog.database.read((sql) => catalog.shards.list(sql), signal);
    const known = new Set(shards.map(({ id }) => id));
    for (const id of this.#shards.keys()) if (!known.has(id)) this.#shards.delete(id);
    for (const shard of shards) {
      if (this.#shards.has(shard.id)) continue;
      this.#shards.set(shard.id, {
        shard,
        ages: new BranchAges(),
        dueAt: 0,
        reported: new Set(),
        isFailing: false,
        running: null,
      });
    }
  }

  async #check(watched: Watched, signal: AbortSignal): Promise<void> {
    const { shard } = watched;
    try {
      const left = await withDeadline(checkDeadlineMs, signal, (bounded) => this.#resolve(watched, bounded));
      watched.isFailing = false;
      const isWatchful = left > 0 || performance.now() < this.#watchfulUntil;
      watched.dueAt = performance.now() + (isWatchful ? watchfulIntervalMs : quietIntervalMs);
    } catch (error) {
      if (signal.aborted || this.#hasLostOffice(error)) return;
      // A shard without a primary is the business of another watch: one line is enough.
      const where = { shard: shard.name, cluster: shard.clusterId };
      if (!watched.isFailing)
        this.#options.logger.warn(where, `prepared transactions are not looked at: ${errorText(error)}`);
      watched.isFailing = true;
      watched.dueAt = performance.now() + watchfulIntervalMs;
    }
  }

  /** @returns how many branches of compute nodes are still prepared */
  async #resolve(watched: Watched, signal: AbortSignal): Promise<number> {
    const place = await this.#place(watched.shard, signal);
    if (place === undefined) return 0;
    return withMysql(place.address, signal, async (session) => {
      const names = await preparedBranches(session);
      // A closed primary commits them all the same, waits for acknowledgements, and keeps copies of itself waiting.
      if (names.length > 0 && (await isSuperReadOnly(session))) return names.length;
      const ages = watched.ages.see(names, performance.now());
      this.#report(watched, place, names);
      let left = 0;
      for (const [name, age] of ages) {
        const transaction = parseBranchName(name);
        if (transaction === undefined || !place.comps.has(transaction.compId)) continue;
        if (age < (this.#options.graceMs ?? defaultGraceMs)) left += 1;
        else await this.#end({ session, place, shard: watched.shard, name, transaction }, signal);
      }
      return left;
    });
  }

  async #end(branch: Branch, signal: AbortSignal): Promise<void> {
    const { catalog, logger } = this.#options;
    const { session, place, shard, name, transaction } = branch;
    const decision: Decision = await catalog.database.write(
      (sql) => catalog.commitLog.abortUnlessDecided(sql, place.clusterName, transaction),
      signal,
    );
    await endBranch(session, name, decision);
    const where = { shard: shard.name, cluster: shard.clusterId, transaction: name };
    logger.info(where, `ended a transaction that its compute node had left prepared: ${decision}`);
  }

  async #place(shard: Shard, signal: AbortSignal): Promise<Place | undefined> {
    const { catalog } = this.#options;
    return catalog.database.read(async (sql): Promise<Place | undefined> => {
      const cluster = await catalog.clusters.find(sql, shard.clusterId);
      const nodes = await catalog.storageNodes.list(sql, { shardId: shard.id });
      const comps = await catalog.computeNodes.list(sql, { clusterId: shard.clusterId });
      const account = (await catalog.credentials.list(sql, clusterScope(shard.clusterId))).get('management');
      const primary = nodes.find(
        ({ memberState, status }) => memberState === 'source' && status === 'active',
      );
      if (cluster === undefined || account === undefined || primary === undefined) return undefined;
      const { hostaddr, port }: HostPort = primary;
      return {
        clusterName: cluster.name,
        comps: new Set<number>(comps.map(({ id }) => id)),
        address: { hostaddr, port, ...account, connectTimeoutMs },
      };
    }, signal);
  }

  /** Nobody can know what becomes of them: they came with data from elsewhere, or somebody made them by hand. */
  #report(watched: Watched, place: Place, names: readonly string[]): void {
    const strange = names.filter((name) => !place.comps.has(parseBranchName(name)?.compId ?? -1));
    for (const name of strange.filter((found) => !watched.reported.has(found))) {
      const where = { shard: watched.shard.name, cluster: watched.shard.clusterId, transaction: name };
      this.#options.logger.warn(
        where,
        'a prepared transaction of no compute node of this cluster is left for an operator: see XA RECOVER',
      );
    }
    watched.reported = new Set(strange);
  }

  #hasLostOffice(error: unknown): boolean {
    if (!(error instanceof KlusterError) || error.kind !== 'stale_epoch') return false;
    this.#options.onLostOffice(error);
    return true;
  }
}

interface Place {
  readonly clusterName: string;
  /** Ids of the compute nodes of the cluster. */
  readonly comps: ReadonlySet<number>;
  readonly address: SqlAddress;
}

interface Branch {
  readonly session: SqlSession;
  readonly place: Place;
  readonly shard: Shard;
  readonly name: string;
  readonly transaction: GlobalTransaction;
}
