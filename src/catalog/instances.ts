import {
  clusterId,
  computeNodeId,
  instanceId,
  machineId,
  shardId,
  storageNodeId,
  type ClusterId,
  type ComputeNodeId,
  type InstanceId,
  type MachineId,
  type ShardId,
  type StorageNodeId,
} from '../core/ids.ts';
import { firstRow, numberOf, textOf, type Sql, type SqlRow } from './sql.ts';

interface InstanceBase {
  readonly instanceId: InstanceId;
  readonly machineId: MachineId;
  readonly hostaddr: string;
  readonly port: number;
}

/** Which node an engine process group is: what an agent calls by instance id, the catalog calls by node id. */
export type InstanceRecord =
  | (InstanceBase & {
      readonly kind: 'storage';
      readonly clusterId: ClusterId;
      readonly shardId: ShardId;
      readonly nodeId: StorageNodeId;
    })
  | (InstanceBase & {
      readonly kind: 'compute';
      readonly clusterId: ClusterId;
      readonly nodeId: ComputeNodeId;
    })
  | (InstanceBase & { readonly kind: 'metadata'; readonly metadataNodeId: number });

const selectInstances = `
  SELECT instance.instance_id, instance.machine_id, instance.shard_node_id, instance.comp_node_id,
         instance.meta_node_id, COALESCE(storage.hostaddr, compute.hostaddr, metadata.hostaddr) AS hostaddr,
         COALESCE(storage.port, compute.port, metadata.port) AS port,
         COALESCE(storage.db_cluster_id, compute.db_cluster_id) AS cluster_id, storage.shard_id
    FROM kluster_instances AS instance
    LEFT JOIN shard_nodes AS storage ON storage.id = instance.shard_node_id
    LEFT JOIN comp_nodes AS compute ON compute.id = instance.comp_node_id
    LEFT JOIN meta_db_nodes AS metadata ON metadata.id = instance.meta_node_id`;

function parseInstance(row: SqlRow): InstanceRecord {
  const base: InstanceBase = {
    instanceId: instanceId(textOf(row, 'instance_id')),
    machineId: machineId(numberOf(row, 'machine_id')),
    hostaddr: textOf(row, 'hostaddr'),
    port: numberOf(row, 'port'),
  };
  if (row['meta_node_id'] !== null) {
    return { ...base, kind: 'metadata', metadataNodeId: numberOf(row, 'meta_node_id') };
  }
  const cluster = clusterId(numberOf(row, 'cluster_id'));
  if (row['comp_node_id'] !== null) {
    return {
      ...base,
      kind: 'compute',
      clusterId: cluster,
      nodeId: computeNodeId(numberOf(row, 'comp_node_id')),
    };
  }
  return {
    ...base,
    kind: 'storage',
    clusterId: cluster,
    shardId: shardId(numberOf(row, 'shard_id')),
    nodeId: storageNodeId(numberOf(row, 'shard_node_id')),
  };
}

/** Made and removed together with the rows of nodes. */
export class Instances {
  find(sql: Sql, id: InstanceId): Promise<InstanceRecord | undefined> {
    return firstRow(sql, `${selectInstances} WHERE instance.instance_id = ?`, [id], parseInstance);
  }

  /** Of one machine, of one cluster, or all. */
  list(
    sql: Sql,
    filter: { readonly machineId?: MachineId; readonly clusterId?: ClusterId } = {},
  ): Promise<readonly InstanceRecord[]> {
    const { machineId: machine = null, clusterId: cluster = null } = filter;
    return sql.rows(
      `${selectInstances} WHERE (? IS NULL OR instance.machine_id = ?)
         AND (? IS NULL OR COALESCE(storage.db_cluster_id, compute.db_cluster_id) = ?)
       ORDER BY instance.instance_id`,
      [machine, machine, cluster, cluster],
      parseInstance,
    );
  }

  /** What lives on each host, over all machine types, for placement. Hosts without instances are not listed. */
  async hostUse(sql: Sql): Promise<ReadonlyMap<string, HostUse>> {
    const rows = await sql.rows(
      `SELECT machine.hostaddr, COUNT(*) AS nodes, SUM(instance.memory_mb) AS memory_mb,
              SUM(COALESCE(storage.member_state = 'source', 0)) AS primaries
         FROM kluster_instances AS instance
         JOIN server_nodes AS machine ON machine.id = instance.machine_id
         LEFT JOIN shard_nodes AS storage ON storage.id = instance.shard_node_id
        GROUP BY machine.hostaddr`,
      [],
      (row): [string, HostUse] => [
        textOf(row, 'hostaddr'),
        {
          nodes: numberOf(row, 'nodes'),
          memoryMb: numberOf(row, 'memory_mb'),
          primaries: numberOf(row, 'primaries'),
        },
      ],
    );
    return new Map(rows);
  }
}

export interface HostUse {
  readonly nodes: number;
  /** Sum of what placement counted the nodes with. */
  readonly memoryMb: number;
  /** Nodes that are the primary of their shard. */
  readonly primaries: number;
}
