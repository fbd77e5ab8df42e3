import { Agents } from './agents.ts';
import { ClusterLogs } from './cluster-logs.ts';
import { Clusters } from './clusters.ts';
import { CommitLog } from './commit-log.ts';
import { ComputeAccess } from './compute-access.ts';
import { ComputeNodes } from './compute-nodes.ts';
import { Credentials } from './credentials.ts';
import type { MetadataDatabase } from './database.ts';
import { Failovers } from './failovers.ts';
import type { ShardId } from '../core/ids.ts';
import type { GatheredRead } from './gathered-read.ts';
import { Instances } from './instances.ts';
import { Machines } from './machines.ts';
import { NoSwitches } from './noswitch.ts';
import { Managers } from './managers.ts';
import { MetadataNodes } from './metadata-nodes.ts';
import { PendingRemovals } from './pending-removals.ts';
import { Ports } from './ports.ts';
import { gatherShardReadings, type ShardReading } from './shard-readings.ts';
import { Shards } from './shards.ts';
import { StorageNodes } from './storage-nodes.ts';
import { Topologies } from './topology.ts';
import { TopologyLog } from './topology-log.ts';

/**
 * What the installation consists of, one member per noun. Methods whose first parameter is `sql` run in the caller's
 * transaction (`database.read` or `database.write`), so one transaction may write several nouns; the others make
 * their own transactions.
 */
export class Catalog {
  readonly database: MetadataDatabase;
  readonly agents = new Agents();
  readonly machines = new Machines();
  readonly ports = new Ports();
  readonly clusters: Clusters;
  readonly clusterLogs: ClusterLogs;
  readonly commitLog = new CommitLog();
  readonly computeAccess: ComputeAccess;
  readonly shards = new Shards();
  readonly storageNodes = new StorageNodes();
  readonly computeNodes = new ComputeNodes();
  readonly metadataNodes = new MetadataNodes();
  readonly managers = new Managers();
  readonly instances = new Instances();
  readonly pendingRemovals = new PendingRemovals();
  readonly failovers = new Failovers();
  readonly noSwitches = new NoSwitches();
  readonly topologyLog = new TopologyLog();
  readonly credentials: Credentials;
  readonly topologies: Topologies;
  /** What is known of a shard at one moment, for all who look at shards. */
  readonly shardReadings: GatheredRead<ShardId, ShardReading>;

  /** `key`: the secret of the installation that passwords in the catalog are sealed with. */
  constructor(database: MetadataDatabase, key: string) {
    this.database = database;
    this.clusterLogs = new ClusterLogs(database);
    this.computeAccess = new ComputeAccess(database);
    this.clusters = new Clusters(database, {
      logs: this.clusterLogs,
      access: this.computeAccess,
      ports: this.ports,
    });
    this.credentials = new Credentials(database, key);
    this.shardReadings = gatherShardReadings(this);
    this.topologies = new Topologies(this.credentials, this.metadataNodes, database.name);
  }
}
