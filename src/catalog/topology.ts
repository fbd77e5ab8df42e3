import { KlusterError } from '../core/errors/kluster-error.ts';
import { clusterId, computeNodeId, type ClusterId, type ComputeNodeId } from '../core/ids.ts';
import type { HostPort, NodeStatus } from '../core/model.ts';
import type { ComputeTopology, TopologyNode, TopologyShard } from '../engines/postgres/topology.ts';
import { oneOf } from './columns.ts';
import { metadataPurpose } from './compute-access.ts';
import { clusterScope, type Credential, type Credentials } from './credentials.ts';
import type { MetadataNodes } from './metadata-nodes.ts';
import { nodeStatuses } from './storage-nodes.ts';
import { firstRow, numberOf, textOf, type Sql, type SqlRow } from './sql.ts';

/** What one compute node must know, and with what it is told. */
export interface WantedTopology {
  readonly topology: ComputeTopology & { readonly cluster_id: ClusterId };
  readonly at: HostPort;
  readonly status: NodeStatus;
  readonly superuser: Credential;
}

/** How far a compute node has come. */
export interface TopologyState extends HostPort {
  readonly id: ComputeNodeId;
  readonly clusterId: ClusterId;
  readonly name: string;
  readonly status: NodeStatus;
  /** It lacks the newest generation. */
  readonly isBehind: boolean;
}

const selectStates = `
  SELECT comp.id, comp.db_cluster_id, comp.name, comp.hostaddr, comp.port, comp.status,
         wanted.generation > COALESCE(applied.generation, 0) AS is_behind
    FROM comp_nodes AS comp
    JOIN kluster_topology AS wanted ON wanted.cluster_id = comp.db_cluster_id
    LEFT JOIN kluster_topology_applied AS applied ON applied.comp_node_id = comp.id`;

const parseState = (row: SqlRow): TopologyState => ({
  id: computeNodeId(numberOf(row, 'id')),
  clusterId: clusterId(numberOf(row, 'db_cluster_id')),
  name: textOf(row, 'name'),
  hostaddr: textOf(row, 'hostaddr'),
  port: numberOf(row, 'port'),
  status: oneOf(row, 'status', nodeStatuses),
  isBehind: numberOf(row, 'is_behind') === 1,
});

/** What compute nodes must know of their clusters, and which of them know it. */
export class Topologies {
  private readonly credentials: Credentials;
  private readonly metadataNodes: MetadataNodes;
  private readonly metadataDatabase: string;

  constructor(credentials: Credentials, metadataNodes: MetadataNodes, metadataDatabase: string) {
    this.credentials = credentials;
    this.metadataNodes = metadataNodes;
    this.metadataDatabase = metadataDatabase;
  }

  /** Everything as it is in this transaction. @throws KlusterError metadata when there is no such compute node */
  async wanted(sql: Sql, id: ComputeNodeId): Promise<WantedTopology> {
    const comp = await firstRow(
      sql,
      `SELECT comp.db_cluster_id, comp.name, comp.hostaddr, comp.port, comp.status,
              cluster.name AS cluster_name, wanted.generation
         FROM comp_nodes AS comp
         JOIN db_clusters AS cluster ON cluster.id = comp.db_cluster_id
         JOIN kluster_topology AS wanted ON wanted.cluster_id = comp.db_cluster_id
        WHERE comp.id = ?`,
      [id],
      (row) => row,
    );
    if (comp === undefined) {
      throw new KlusterError('metadata', `compute node ${String(id)} is not in the catalog (any more)`);
    }
    const cluster = clusterId(numberOf(comp, 'db_cluster_id'));
    const accounts = await this.credentials.list(sql, clusterScope(cluster));
    const account = (purpose: string): Credential => {
      const found = accounts.get(purpose);
      if (found !== undefined) return found;
      throw new KlusterError(
        'metadata',
        `cluster ${String(cluster)} has no ${purpose} account in the catalog`,
      );
    };
    return {
      topology: {
        generation: numberOf(comp, 'generation'),
        cluster_id: cluster,
        cluster_name: textOf(comp, 'cluster_name'),
        comp_id: id,
        comp_name: textOf(comp, 'name'),
        metadata: await this.#metadata(sql, accounts.get(metadataPurpose)),
        account: account('compute'),
        shards: await shardsOf(sql, cluster),
        comps: await compsOf(sql, cluster, id),
      },
      at: { hostaddr: textOf(comp, 'hostaddr'), port: numberOf(comp, 'port') },
      status: oneOf(comp, 'status', nodeStatuses),
      superuser: account('compute_superuser'),
    };
  }

  /** Clusters that were made before compute nodes wrote logs have no account for it. */
  async #metadata(sql: Sql, account: Credential | undefined): Promise<ComputeTopology['metadata']> {
    const primary = await this.metadataNodes.primary(sql);
    if (account === undefined || primary === undefined) return null;
    return { host: primary.hostaddr, port: primary.port, ...account, database: this.metadataDatabase };
  }

  /** The compute node has this generation. */
  async recordApplied(sql: Sql, id: ComputeNodeId, generation: number): Promise<void> {
    await sql.execute(
      `INSERT INTO kluster_topology_applied (comp_node_id, generation)
       SELECT id, ? FROM comp_nodes WHERE id = ?
       ON DUPLICATE KEY UPDATE generation = GREATEST(kluster_topology_applied.generation, VALUES(generation))`,
      [generation, id],
    );
  }

  /**
   * One that was inactive has proved that it serves all that this generation names: it is active, unless there is a newer
   * generation, or it lacks this one.
   */
  async recordServing(sql: Sql, id: ComputeNodeId, generation: number): Promise<void> {
    await sql.execute(
      `UPDATE comp_nodes AS comp
         JOIN kluster_topology AS wanted ON wanted.cluster_id = comp.db_cluster_id AND wanted.generation <= ?
         JOIN kluster_topology_applied AS applied
           ON applied.comp_node_id = comp.id AND applied.generation >= wanted.generation
          SET comp.status = 'active' WHERE comp.id = ? AND comp.status = 'inactive'`,
      [generation, id],
    );
  }

  /**
   * A compute node has this generation. Normally the catalog has it too; after the metadata database was set back it may
   * have not, and then it goes on beyond it, so that the node takes what follows.
   */
  async passGeneration(sql: Sql, cluster: ClusterId, generation: number): Promise<void> {
    await sql.execute('UPDATE kluster_topology SET generation = ? WHERE cluster_id = ? AND generation < ?', [
      generation + 1,
      cluster,
      generation,
    ]);
  }

  /** It does not answer, or cannot read a shard: until `recordServing` it is not one that serves. */
  async recordSilent(sql: Sql, id: ComputeNodeId): Promise<void> {
    await sql.execute("UPDATE comp_nodes SET status = 'inactive' WHERE id = ? AND status = 'active'", [id]);
  }

  /** The compute nodes that are to be told of changes; those being made, removed or stopped on purpose are not. */
  states(sql: Sql, cluster?: ClusterId): Promise<readonly TopologyState[]> {
    return sql.rows(
      `${selectStates} WHERE comp.status IN ('active', 'inactive') AND (? IS NULL OR comp.db_cluster_id = ?)
       ORDER BY comp.id`,
      [cluster ?? null, cluster ?? null],
      parseState,
    );
  }

  /** The newest of each cluster. */
  async generations(sql: Sql): Promise<ReadonlyMap<ClusterId, number>> {
    const rows = await sql.rows('SELECT cluster_id, generation FROM kluster_topology', [], (row) => {
      return [clusterId(numberOf(row, 'cluster_id')), numberOf(row, 'generation')] as const;
    });
    return new Map(rows);
  }

  /** Those of all clusters that lack something. */
  behind(sql: Sql): Promise<readonly TopologyState[]> {
    return sql.rows(
      `${selectStates} WHERE comp.status IN ('active', 'inactive')
         AND wanted.generation > COALESCE(applied.generation, 0)`,
      [],
      parseState,
    );
  }
}

/** What is being added does not count before it serves; what is being made as a whole does. */
function established<Member extends { readonly status: NodeStatus }>(
  members: readonly Member[],
): readonly Member[] {
  const serving = members.filter(({ status }) => status !== 'creating');
  return serving.length > 0 ? serving : members;
}

async function shardsOf(sql: Sql, cluster: ClusterId): Promise<readonly TopologyShard[]> {
  const rows = await sql.rows(
    `SELECT shard.id, shard.name, node.id AS node_id, node.hostaddr, node.port, node.member_state, node.status
       FROM shards AS shard JOIN shard_nodes AS node ON node.shard_id = shard.id
      WHERE shard.db_cluster_id = ? ORDER BY shard.id, node.id`,
    [cluster],
    (row) => ({
      id: numberOf(row, 'id'),
      name: textOf(row, 'name'),
      status: oneOf(row, 'status', nodeStatuses),
      node: {
        id: numberOf(row, 'node_id'),
        host: textOf(row, 'hostaddr'),
        port: numberOf(row, 'port'),
        primary: textOf(row, 'member_state') === 'source',
      } satisfies TopologyNode,
    }),
  );
  const shards = new Map(rows.map(({ id, name }) => [id, name]));
  return [...shards].map(([id, name]) => ({
    id,
    name,
    nodes: established(rows.filter((row) => row.id === id)).map(({ node }) => node),
  }));
}

async function compsOf(sql: Sql, cluster: ClusterId, self: ComputeNodeId): Promise<ComputeTopology['comps']> {
  const rows = await sql.rows(
    "SELECT id, name, hostaddr, port, status FROM comp_nodes WHERE db_cluster_id = ? AND status <> 'deleted' ORDER BY id",
    [cluster],
    (row) => ({
      comp: {
        id: numberOf(row, 'id'),
        name: textOf(row, 'name'),
        host: textOf(row, 'hostaddr'),
        port: numberOf(row, 'port'),
      },
      status: oneOf(row, 'status', nodeStatuses),
    }),
  );
  const listed = established(rows);
  return rows.filter((row) => listed.includes(row) || row.comp.id === self).map(({ comp }) => comp);
}
