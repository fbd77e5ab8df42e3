import { KlusterError } from '../core/errors/kluster-error.ts';
import {
  clusterId,
  instanceId,
  machineId,
  shardId,
  storageNodeId,
  type ClusterId,
  type InstanceId,
  type MachineId,
  type ShardId,
  type StorageNodeId,
} from '../core/ids.ts';
import type { HostPort, MemberState, NodeStatus, StorageNode } from '../core/model.ts';
import { oneOf } from './columns.ts';
import type { Credential } from './credentials.ts';
import { mapReplicas } from './node-map.ts';
import { firstRow, givenIds, numberOf, textOf, type Sql, type SqlRow } from './sql.ts';
import { topologyChanged } from './topology-changed.ts';

export const nodeStatuses = [
  'creating',
  'active',
  'inactive',
  'deleted',
  'manual_stop',
] as const satisfies readonly NodeStatus[];
export const memberStates = ['source', 'replica'] as const satisfies readonly MemberState[];

export interface NewStorageNode extends HostPort {
  readonly clusterId: ClusterId;
  readonly shardId: ShardId;
  readonly machineId: MachineId;
  readonly instanceId: InstanceId;
  readonly memberState: MemberState;
  readonly status: NodeStatus;
  /** The limited account that consoles use; it stands in the public columns in the clear. */
  readonly monitor: Credential;
  /** 0: no limit. */
  readonly cpuCores?: number;
  readonly bufferPoolMb?: number;
  /** What placement counts it with. */
  readonly memoryMb: number;
  readonly maximumStorageGb?: number;
}

export interface StorageNodeFilter {
  readonly clusterId?: ClusterId;
  readonly shardId?: ShardId;
  readonly machineId?: MachineId;
}

const selectNodes = `
  SELECT node.id, node.db_cluster_id, node.shard_id, node.svr_node_id, instance.instance_id, node.hostaddr,
         node.port, node.member_state, node.status, absent.shard_node_id IS NOT NULL AS is_absent_holder
    FROM shard_nodes AS node JOIN kluster_instances AS instance ON instance.shard_node_id = node.id
         LEFT JOIN kluster_absent_holders AS absent ON absent.shard_node_id = node.id`;

const parseNode = (row: SqlRow): StorageNode => ({
  id: storageNodeId(numberOf(row, 'id')),
  clusterId: clusterId(numberOf(row, 'db_cluster_id')),
  shardId: shardId(numberOf(row, 'shard_id')),
  machineId: machineId(numberOf(row, 'svr_node_id')),
  instanceId: instanceId(textOf(row, 'instance_id')),
  hostaddr: textOf(row, 'hostaddr'),
  port: numberOf(row, 'port'),
  memberState: oneOf(row, 'member_state', memberStates),
  status: oneOf(row, 'status', nodeStatuses),
  isAbsentHolder: numberOf(row, 'is_absent_holder') === 1,
});

/** The mysqld of shards: shard_nodes, with the instance behind each, the shard's num_nodes and node_map_master. */
export class StorageNodes {
  /** A repeated call with the same instance gives the same id and changes nothing. */
  async insert(sql: Sql, node: NewStorageNode): Promise<StorageNodeId> {
    const existing = await firstRow(
      sql,
      `${selectNodes} WHERE instance.instance_id = ? FOR UPDATE`,
      [node.instanceId],
      parseNode,
    );
    if (existing !== undefined) return existing.id;
    const { insertId } = await sql.execute(
      `INSERT INTO shard_nodes (db_cluster_id, shard_id, svr_node_id, hostaddr, port, user_name, passwd, member_state,
         status, cpu_cores, innodb_buffer_pool_MB, max_storage_GB) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        node.clusterId,
        node.shardId,
        node.machineId,
        node.hostaddr,
        node.port,
        node.monitor.user,
        node.monitor.password,
        node.memberState,
        node.status,
        Math.ceil(node.cpuCores ?? 0),
        node.bufferPoolMb ?? 0,
        node.maximumStorageGb ?? 0,
      ],
    );
    await sql.execute(
      `INSERT INTO kluster_instances (instance_id, engine, machine_id, memory_mb, shard_node_id)
       VALUES (?, 'mysql', ?, ?, ?)`,
      [node.instanceId, node.machineId, node.memoryMb, insertId],
    );
    await countNodes(sql, node.shardId);
    await mapReplicas(sql, node.shardId);
    await topologyChanged(sql, node.clusterId);
    return storageNodeId(insertId);
  }

  find(sql: Sql, id: StorageNodeId): Promise<StorageNode | undefined> {
    return firstRow(sql, `${selectNodes} WHERE node.id = ?`, [id], parseNode);
  }

  findByAddress(sql: Sql, at: HostPort): Promise<StorageNode | undefined> {
    return firstRow(
      sql,
      `${selectNodes} WHERE node.hostaddr = ? AND node.port = ?`,
      [at.hostaddr, at.port],
      parseNode,
    );
  }

  list(sql: Sql, filter: StorageNodeFilter = {}): Promise<readonly StorageNode[]> {
    const { clusterId: cluster = null, shardId: shard = null, machineId: machine = null } = filter;
    return sql.rows(
      `${selectNodes} WHERE (? IS NULL OR node.db_cluster_id = ?) AND (? IS NULL OR node.shard_id = ?)
         AND (? IS NULL OR node.svr_node_id = ?) ORDER BY node.id`,
      [cluster, cluster, shard, shard, machine, machine],
      parseNode,
    );
  }

  listOfShards(sql: Sql, ids: readonly ShardId[]): Promise<readonly StorageNode[]> {
    return sql.rows(
      `${selectNodes} WHERE node.shard_id IN ${givenIds} ORDER BY node.id`,
      [JSON.stringify(ids)],
      parseNode,
    );
  }

  /** Of a node that has its data, or never had any: nothing counts on it beyond that. */
  async setStatus(sql: Sql, id: StorageNodeId, status: NodeStatus): Promise<void> {
    await sql.execute('UPDATE shard_nodes SET status = ? WHERE id = ?', [status, id]);
    await sql.execute('DELETE FROM kluster_absent_holders WHERE shard_node_id = ?', [id]);
  }

  /** From now on it loses its data. `isAbsentHolder`: and too few others have it, as far as anybody knows. */
  async beginRebuild(sql: Sql, id: StorageNodeId, isAbsentHolder: boolean): Promise<void> {
    await this.setStatus(sql, id, 'creating');
    if (isAbsentHolder)
      await sql.execute('INSERT INTO kluster_absent_holders (shard_node_id) VALUES (?)', [id]);
  }

  /** Cores that the node may use; 0: no limit. */
  async setCpuCores(sql: Sql, id: StorageNodeId, cores: number): Promise<void> {
    await sql.execute('UPDATE shard_nodes SET cpu_cores = ? WHERE id = ?', [Math.ceil(cores), id]);
  }

  /** `delaySeconds`: how far the replica is behind; `synchronous`: whether its acknowledgement counts. */
  async setReplicaState(
    sql: Sql,
    id: StorageNodeId,
    state: { readonly delaySeconds: number; readonly synchronous: boolean },
  ): Promise<void> {
    await sql.execute('UPDATE shard_nodes SET replica_delay = ?, sync_state = ? WHERE id = ?', [
      state.delaySeconds,
      state.synchronous ? 'fsync' : 'async',
      id,
    ]);
  }

  /**
   * Exactly this node of the shard is `source`, all others `replica`; node_map_master follows. `uuid`: server_uuid of the
   * new primary. @throws KlusterError metadata when the node is not one of the shard
   */
  async setPrimary(sql: Sql, shard: ShardId, id: StorageNodeId, uuid?: string): Promise<void> {
    const nodes = await sql.rows(
      'SELECT id, db_cluster_id FROM shard_nodes WHERE shard_id = ? FOR UPDATE',
      [shard],
      (row) => ({ id: numberOf(row, 'id'), cluster: clusterId(numberOf(row, 'db_cluster_id')) }),
    );
    const primary = nodes.find((node) => node.id === id);
    if (primary === undefined) {
      throw new KlusterError(
        'metadata',
        `storage node ${String(id)} is not a node of shard ${String(shard)}`,
      );
    }
    await sql.execute(
      "UPDATE shard_nodes SET member_state = IF(id = ?, 'source', 'replica') WHERE shard_id = ?",
      [id, shard],
    );
    await mapReplicas(sql, shard, uuid);
    await topologyChanged(sql, primary.cluster);
  }

  /** Nothing happens when there is no such node (any more). */
  async remove(sql: Sql, id: StorageNodeId): Promise<void> {
    const node = await this.find(sql, id);
    if (node === undefined) return;
    await sql.execute("DELETE FROM node_map_master WHERE node_host = CONCAT(?, '_', ?)", [
      node.hostaddr,
      node.port,
    ]);
    await sql.execute('DELETE FROM shard_nodes WHERE id = ?', [id]);
    await countNodes(sql, node.shardId);
    await topologyChanged(sql, node.clusterId);
  }
}

async function countNodes(sql: Sql, shard: ShardId): Promise<void> {
  await sql.execute(
    'UPDATE shards SET num_nodes = (SELECT COUNT(*) FROM shard_nodes WHERE shard_id = ?) WHERE id = ?',
    [shard, shard],
  );
}
