import type { Catalog } from '../catalog/catalog.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import { parseBranchName, type GlobalTransaction } from '../core/global-transaction.ts';
import type { ShardId } from '../core/ids.ts';
import type { HostPort, Shard, StorageNode } from '../core/model.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { isSuperReadOnly } from '../engines/mysql/read-only.ts';
import { preparedBranches } from '../engines/mysql/xa.ts';
import type { SqlSession } from '../engines/sql.ts';
import { AddressBook } from './address-book.ts';
import { branchPlace, endLeftBranch, primaryInUse, type BranchPlace } from './branches.ts';
import { BranchAges } from '../core/branch-ages.ts';
import type { NextLook } from './look-queue.ts';
import { areWatched, routineLook, type Pace } from './pace.ts';
import type { AgentReport } from './shard-observation.ts';
import { WatchLoop, type Look, type WatchContext } from './watch-loop.ts';

export interface InDoubtOptions extends WatchContext {
  readonly catalog: Catalog;
  /** What the agent of the node's machine says about it. */
  readonly report: (node: StorageNode) => AgentReport | null;
  /** How long a branch is left to its compute node. Default: 10 s. */
  readonly graceMs?: number;
}

const defaultGraceMs = 10_000;
const limits = { routine: 16, urgent: 16 };
/** A shard without prepared branches. */
const quietPace: Pace = { unwatchedMs: 15_000, watchedMs: 120_000 };
/** One with some, or one that something happened to. */
const watchfulIntervalMs = 1000;
/** After something happened: a compute node that died leaves branches, and so does a failover. */
const suspicionMs = 30_000;
const refreshMs = 5000;
const checkDeadlineMs = 30_000;

interface Watched {
  readonly shard: Shard;
  readonly ages: BranchAges;
  /** Something has happened: until then it is looked at often. */
  watchfulUntil: number;
  /** The branches of unknown compute nodes that were reported. */
  reported: ReadonlySet<string>;
  isFailing: boolean;
  /** As last read. */
  primary: StorageNode | null;
}

/**
 * Ends the branches that compute nodes have prepared and cannot end any more: by the decision in the commit log, or, when
 * there is none, by deciding to abort. A compute node that comes too late with its own decision is refused by the
 * log's unique key.
 */
export class InDoubtWatch {
  readonly #options: InDoubtOptions;
  readonly #loop: WatchLoop<ShardId>;
  readonly #shards = new Map<ShardId, Watched>();
  /** Of their storage nodes and of their clusters' compute nodes, as last read. */
  readonly #addresses = new AddressBook<ShardId>();

  constructor(options: InDoubtOptions) {
    this.#options = options;
    this.#loop = new WatchLoop(options, {
      subject: 'prepared transactions',
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

  /** An instance ended or began: look often at the shards that have to do with it, for a while. */
  suspect(at: HostPort): void {
    for (const id of this.#addresses.at(at)) {
      const watched = this.#shards.get(id);
      if (watched !== undefined) watched.watchfulUntil = performance.now() + suspicionMs;
      this.#loop.bringForward(id);
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { catalog } = this.#options;
    const shards = await catalog.database.read((sql) => catalog.shards.list(sql), signal);
    for (const id of this.#loop.removeOthers(new Set(shards.map((shard) => shard.id)))) {
      this.#shards.delete(id);
      this.#addresses.remove(id);
    }
    for (const shard of shards) {
      if (!this.#shards.has(shard.id)) {
        this.#shards.set(shard.id, {
          shard,
          ages: new BranchAges(),
          watchfulUntil: 0,
          reported: new Set(),
          isFailing: false,
          primary: null,
        });
      }
      this.#loop.add(shard.id);
    }
  }

  async #check(id: ShardId, { signal }: Look): Promise<NextLook> {
    const watched = this.#shards.get(id);
    if (watched === undefined) return { inMs: watchfulIntervalMs };
    const left = await withDeadline(checkDeadlineMs, signal, (bounded) => this.#resolve(watched, bounded));
    watched.isFailing = false;
    const isWatchful = left > 0 || performance.now() < watched.watchfulUntil;
    if (isWatchful) return { inMs: watchfulIntervalMs };
    return routineLook(quietPace, watched.primary !== null && this.#isQuiet(watched.primary));
  }

  /** Its agent would tell of a branch that stays prepared. */
  #isQuiet(primary: StorageNode): boolean {
    const { report } = this.#options;
    return areWatched([primary], report) && report(primary)?.instance?.standing?.lingering === 0;
  }

  #failed(id: ShardId, error: unknown): NextLook {
    const watched = this.#shards.get(id);
    // A shard without a primary is the business of another watch: one line is enough.
    if (watched !== undefined && !watched.isFailing) {
      const where = { shard: watched.shard.name, cluster: watched.shard.clusterId };
      this.#options.logger.warn(where, `prepared transactions are not looked at: ${errorText(error)}`);
      watched.isFailing = true;
    }
    return { inMs: watchfulIntervalMs };
  }

  /** @returns how many branches of compute nodes are still prepared */
  async #resolve(watched: Watched, signal: AbortSignal): Promise<number> {
    const place = await this.#place(watched, signal);
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
    const { shard, name } = branch;
    const decision = await endLeftBranch(catalog, branch, signal);
    const where = { shard: shard.name, cluster: shard.clusterId, transaction: name };
    logger.info(where, `ended a transaction that its compute node had left prepared: ${decision}`);
  }

  async #place(watched: Watched, signal: AbortSignal): Promise<BranchPlace | undefined> {
    const { id } = watched.shard;
    const reading = await this.#options.catalog.shardReadings.get(id, signal);
    if (reading === undefined) return undefined;
    const { nodes, comps } = reading;
    this.#addresses.put(id, [...nodes, ...comps]);
    watched.primary = primaryInUse(nodes) ?? null;
    return branchPlace(reading);
  }

  /** Nobody can know what becomes of them: they came with data from elsewhere, or somebody made them by hand. */
  #report(watched: Watched, place: BranchPlace, names: readonly string[]): void {
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
}

interface Branch {
  readonly session: SqlSession;
  readonly place: BranchPlace;
  readonly shard: Shard;
  readonly name: string;
  readonly transaction: GlobalTransaction;
}
