import type { Catalog } from '../../catalog/catalog.ts';
import {
  clusterRows,
  completeClusters,
  deadLocks,
  jobDifferences,
  logTables,
  newestEpoch,
  nodeMapRows,
  publicPorts,
  shardStates,
  unfinishedJobs,
  type ShardState,
} from '../../catalog/inspection.ts';
import { groupBy } from '../../core/group-by.ts';
import type { Shard, StorageNode } from '../../core/model.ts';
import type { CatalogFacts } from './facts.ts';

export interface RecordedShard {
  readonly shard: Shard;
  readonly state: ShardState | undefined;
  readonly nodes: readonly StorageNode[];
}

/** The whole catalog as of one moment, and the shards that are to be looked at. */
export function gatherCatalog(
  catalog: Catalog,
  signal: AbortSignal,
): Promise<{ readonly facts: CatalogFacts; readonly shards: readonly RecordedShard[] }> {
  return catalog.database.read(async (sql) => {
    const clusters = await catalog.clusters.list(sql);
    const complete = new Set(await completeClusters(sql));
    const comps = groupBy(await catalog.computeNodes.list(sql), ({ clusterId }) => clusterId);
    const states = new Map((await shardStates(sql)).map((state) => [state.id, state]));
    const nodes = groupBy(await catalog.storageNodes.list(sql), ({ shardId }) => shardId);
    const shards = (await catalog.shards.list(sql)).map((shard) => ({
      shard,
      state: states.get(shard.id),
      nodes: nodes.get(shard.id) ?? [],
    }));
    const managers = await catalog.managers.list(sql);
    const facts: CatalogFacts = {
      epoch: (await newestEpoch(sql)) ?? null,
      leaders: managers.filter(({ memberState }) => memberState === 'source').length,
      machines: await catalog.machines.list(sql),
      publicPorts: await publicPorts(sql),
      instances: await catalog.instances.list(sql),
      reservations: await catalog.ports.list(sql),
      pendingRemovals: await catalog.pendingRemovals.list(sql),
      clusters: clusters.map((cluster) => ({
        cluster,
        complete: complete.has(cluster.id),
        comps: comps.get(cluster.id) ?? [],
      })),
      nodeMap: await nodeMapRows(sql),
      logTables: await logTables(sql),
      clusterRows: await clusterRows(sql),
      jobs: await unfinishedJobs(sql),
      jobDifferences: await jobDifferences(sql),
      deadLocks: await deadLocks(sql),
    };
    return { facts, shards };
  }, signal);
}
