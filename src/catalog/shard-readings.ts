import type { ClusterId, ShardId } from '../core/ids.ts';
import type { Cluster, ComputeNode, Shard, StorageNode } from '../core/model.ts';
import type { Catalog } from './catalog.ts';
import { clusterScope, type Credential } from './credentials.ts';
import { GatheredRead } from './gathered-read.ts';
import { suspendedUntil } from './noswitch.ts';
import type { Sql } from './sql.ts';

/** What the catalog says about one shard, all of one moment. */
export interface ShardReading {
  readonly shard: Shard;
  readonly cluster: Cluster;
  /** Of the shard, whatever their status. */
  readonly nodes: readonly StorageNode[];
  /** Of the cluster, whatever their status. */
  readonly comps: readonly ComputeNode[];
  /** Every account of the cluster by its purpose. @throws KlusterError metadata when one cannot be opened */
  readonly accounts: () => ReadonlyMap<string, Credential>;
  /** Automatic failovers of the shard within the last hour. */
  readonly recentFailovers: number;
  /** Until when automatic failover is suspended; null when it is not. */
  readonly noSwitchUntil: Date | null;
}

const failoverWindowSeconds = 3600;
const deadlineMs = 10_000;

/** The readings of all who look at shards at the same time in one transaction of seven statements. */
export function gatherShardReadings(catalog: Catalog): GatheredRead<ShardId, ShardReading> {
  return new GatheredRead(deadlineMs, (ids, signal) =>
    catalog.database.read((sql) => readShards(catalog, sql, ids), signal),
  );
}

async function readShards(
  catalog: Catalog,
  sql: Sql,
  ids: readonly ShardId[],
): Promise<ReadonlyMap<ShardId, ShardReading>> {
  const shards = await catalog.shards.listByIds(sql, ids);
  const clusterIds = [...new Set(shards.map(({ clusterId }) => clusterId))];
  const clusters = new Map(
    (await catalog.clusters.listByIds(sql, clusterIds)).map((each) => [each.id, each]),
  );
  const nodes = grouped(await catalog.storageNodes.listOfShards(sql, ids), ({ shardId }) => shardId);
  const comps = grouped(await catalog.computeNodes.listOfClusters(sql, clusterIds), (comp) => comp.clusterId);
  const accounts = await catalog.credentials.listScopes(sql, clusterIds.map(clusterScope));
  const failovers = await catalog.failovers.countAutomatic(sql, ids, failoverWindowSeconds);
  const suspensions = await catalog.noSwitches.list(sql, null);
  return new Map(
    shards.flatMap((shard): (readonly [ShardId, ShardReading])[] => {
      const cluster = clusters.get(shard.clusterId);
      if (cluster === undefined) return [];
      const reading: ShardReading = {
        shard,
        cluster,
        nodes: nodes.get(shard.id) ?? [],
        comps: comps.get(shard.clusterId) ?? [],
        accounts: () => accounts(clusterScope(shard.clusterId)),
        recentFailovers: failovers.get(shard.id) ?? 0,
        noSwitchUntil: suspendedUntil(suspensions, shard),
      };
      return [[shard.id, reading]];
    }),
  );
}

function grouped<Key extends ClusterId | ShardId, Member>(
  members: readonly Member[],
  keyOf: (member: Member) => Key,
): ReadonlyMap<Key, readonly Member[]> {
  const groups = new Map<Key, Member[]>();
  for (const member of members) {
    const group = groups.get(keyOf(member));
    if (group === undefined) groups.set(keyOf(member), [member]);
    else group.push(member);
  }
  return groups;
}
