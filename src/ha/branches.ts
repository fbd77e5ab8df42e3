import type { Catalog } from '../catalog/catalog.ts';
import type { Decision } from '../catalog/commit-log.ts';
import type { ShardReading } from '../catalog/shard-readings.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { parseBranchName, type GlobalTransaction } from '../core/global-transaction.ts';
import type { ClusterId, ComputeNodeId } from '../core/ids.ts';
import type { StorageNode } from '../core/model.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { endBranch, preparedBranches } from '../engines/mysql/xa.ts';
import type { SqlAddress, SqlSession } from '../engines/sql.ts';

/** Where a shard keeps the branches of transactions that are prepared, and who may have made them. */
export interface BranchPlace {
  readonly clusterName: string;
  /** Ids of the compute nodes of the cluster. */
  readonly comps: ReadonlySet<number>;
  /** Of the primary. */
  readonly address: SqlAddress;
}

const connectTimeoutMs = 2000;

/** Undefined while the shard has no primary that is in use. */
export function branchPlace({ cluster, nodes, comps, accounts }: ShardReading): BranchPlace | undefined {
  const account = accounts().get('management');
  const primary = primaryInUse(nodes);
  if (account === undefined || primary === undefined) return undefined;
  const { hostaddr, port } = primary;
  return {
    clusterName: cluster.name,
    comps: new Set<number>(comps.map(({ id }) => id)),
    address: { hostaddr, port, ...account, connectTimeoutMs },
  };
}

export function primaryInUse(nodes: readonly StorageNode[]): StorageNode | undefined {
  return nodes.find(({ memberState, status }) => memberState === 'source' && status === 'active');
}

/** Ends a branch that its compute node has left: by the decision in the commit log, or by deciding to abort. */
export async function endLeftBranch(
  catalog: Catalog,
  branch: {
    readonly session: SqlSession;
    readonly place: BranchPlace;
    readonly name: string;
    readonly transaction: GlobalTransaction;
  },
  signal: AbortSignal,
): Promise<Decision> {
  const { session, place, name, transaction } = branch;
  const decision = await catalog.database.write(
    (sql) => catalog.commitLog.abortUnlessDecided(sql, place.clusterName, transaction),
    signal,
  );
  await endBranch(session, name, decision);
  return decision;
}

/** The prepared branches of every shard of a cluster, by shard. @throws KlusterError engine_sql when one has no primary that answers */
export async function eachShardsBranches<T>(
  catalog: Catalog,
  cluster: ClusterId,
  work: (found: {
    readonly session: SqlSession;
    readonly place: BranchPlace;
    readonly names: readonly string[];
  }) => Promise<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const shards = await catalog.database.read((sql) => catalog.shards.list(sql, cluster), signal);
  const results: T[] = [];
  for (const shard of shards) {
    const reading = await catalog.shardReadings.get(shard.id, signal);
    const place = reading === undefined ? undefined : branchPlace(reading);
    if (place === undefined) {
      throw new KlusterError('engine_sql', `${shard.name} has no primary that is in use`);
    }
    results.push(
      await withMysql(place.address, signal, async (session) =>
        work({ session, place, names: await preparedBranches(session) }),
      ),
    );
  }
  return results;
}

/** Ends whatever a compute node that is no more has left prepared; gives how many branches there were. */
export async function endBranchesOf(
  catalog: Catalog,
  comp: { readonly clusterId: ClusterId; readonly id: ComputeNodeId },
  signal: AbortSignal,
): Promise<number> {
  const ended = await eachShardsBranches(
    catalog,
    comp.clusterId,
    async ({ session, place, names }) => {
      let count = 0;
      for (const name of names) {
        const transaction = parseBranchName(name);
        if (transaction?.compId !== comp.id) continue;
        await endLeftBranch(catalog, { session, place, name, transaction }, signal);
        count += 1;
      }
      return count;
    },
    signal,
  );
  return ended.reduce((sum, count) => sum + count, 0);
}
