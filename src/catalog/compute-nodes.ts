import {
  clusterId,
  computeNodeId,
  instanceId,
  machineId,
  type ClusterId,
  type ComputeNodeId,
  type InstanceId,
  type MachineId,
} from '../core/ids.ts';
import type { ComputeNode, HostPort, NodeStatus } from '../core/model.ts';
import { oneOf } from './columns.ts';
import type { Credential } from './credentials.ts';
import { firstRow, givenIds, numberOf, textOf, type Sql, type SqlRow } from './sql.ts';
import { nodeStatuses } from './storage-nodes.ts';
import { topologyChanged } from './topology-changed.ts';

export interface NewComputeNode extends HostPort {
  readonly clusterId: ClusterId;
  readonly machineId: MachineId;
  readonly instanceId: InstanceId;
  readonly status: NodeStatus;
  /** The user's own account: consoles connect with it, so it stands in the public columns in the clear. */
  readonly application: Credential;
  /** 0: no limit. */
  readonly cpuCores?: number;
  readonly maximumConnections?: number;
  /** What placement counts it with. */
  readonly memoryMb: number;
}

export interface ComputeNodeFilter {
  readonly clusterId?: ClusterId;
  readonly machineId?: MachineId;
}

const selectNodes = `
  SELECT node.id, node.db_cluster_id, node.svr_node_id, instance.instance_id, node.name, node.hostaddr, node.port,
         node.status
    FROM comp_nodes AS node JOIN kluster_instances AS instance ON instance.comp_node_id = node.id`;

const parseNode = (row: SqlRow): ComputeNode => ({
  id: computeNodeId(numberOf(row, 'id')),
  clusterId: clusterId(numberOf(row, 'db_cluster_id')),
  machineId: machineId(numberOf(row, 'svr_node_id')),
  instanceId: instanceId(textOf(row, 'instance_id')),
  name: textOf(row, 'name'),
  hostaddr: textOf(row, 'hostaddr'),
  port: numberOf(row, 'port'),
  status: oneOf(row, 'status', nodeStatuses),
});

/** The PostgreSQL servers of clusters: comp_nodes, with the instance behind each. */
export class ComputeNodes {
  /**
   * Gives the node an id that no compute node of the installation ever had. A repeated call with the same instance gives
   * the same node and changes nothing. Its partition of the commit log is made by `ClusterLogs`.
   */
  async insert(sql: Sql, node: NewComputeNode): Promise<ComputeNode> {
    const existing = await this.findByInstance(sql, node.instanceId);
    if (existing !== undefined) return existing;
    const id = await nextId(sql);
    const name = `comp${String(id)}`;
    const { application, maximumConnections = 0, cpuCores = 0 } = node;
    await sql.execute(
      `INSERT INTO comp_nodes (id, name, db_cluster_id, svr_node_id, hostaddr, port, user_name, passwd, status,
         cpu_cores, max_conns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        id,
        name,
        node.clusterId,
        node.machineId,
        node.hostaddr,
        node.port,
        application.user,
        application.password,
        node.status,
        Math.ceil(cpuCores),
        maximumConnections,
      ],
    );
    await sql.execute(
      `INSERT INTO kluster_instances (instance_id, engine, machine_id, memory_mb, comp_node_id)
       VALUES (?, 'postgres', ?, ?, ?)`,
      [node.instanceId, node.machineId, node.memoryMb, id],
    );
    await topologyChanged(sql, node.clusterId);
    const { clusterId: cluster, machineId: machine, instanceId: instance, hostaddr, port, status } = node;
    return { id, name, clusterId: cluster, machineId: machine, instanceId: instance, hostaddr, port, status };
  }

  find(sql: Sql, id: ComputeNodeId): Promise<ComputeNode | undefined> {
    return firstRow(sql, `${selectNodes} WHERE node.id = ?`, [id], parseNode);
  }

  findByInstance(sql: Sql, id: InstanceId): Promise<ComputeNode | undefined> {
    return firstRow(sql, `${selectNodes} WHERE instance.instance_id = ?`, [id], parseNode);
  }

  findByAddress(sql: Sql, at: HostPort): Promise<ComputeNode | undefined> {
    return firstRow(
      sql,
      `${selectNodes} WHERE node.hostaddr = ? AND node.port = ?`,
      [at.hostaddr, at.port],
      parseNode,
    );
  }

  list(sql: Sql, filter: ComputeNodeFilter = {}): Promise<readonly ComputeNode[]> {
    const { clusterId: cluster = null, machineId: machine = null } = filter;
    return sql.rows(
      `${selectNodes} WHERE (? IS NULL OR node.db_cluster_id = ?) AND (? IS NULL OR node.svr_node_id = ?)
       ORDER BY node.id`,
      [cluster, cluster, machine, machine],
      parseNode,
    );
  }

  listOfClusters(sql: Sql, ids: readonly ClusterId[]): Promise<readonly ComputeNode[]> {
    return sql.rows(
      `${selectNodes} WHERE node.db_cluster_id IN ${givenIds} ORDER BY node.id`,
      [JSON.stringify(ids)],
      parseNode,
    );
  }

  async setStatus(sql: Sql, id: ComputeNodeId, status: NodeStatus): Promise<void> {
    await sql.execute('UPDATE comp_nodes SET status = ? WHERE id = ?', [status, id]);
  }

  /** Cores that the node may use; 0: no limit. */
  async setCpuCores(sql: Sql, id: ComputeNodeId, cores: number): Promise<void> {
    await sql.execute('UPDATE comp_nodes SET cpu_cores = ? WHERE id = ?', [Math.ceil(cores), id]);
  }

  /** Nothing happens when there is no such node (any more). */
  async remove(sql: Sql, id: ComputeNodeId): Promise<void> {
    const node = await this.find(sql, id);
    if (node === undefined) return;
    await sql.execute('DELETE FROM comp_nodes WHERE id = ?', [id]);
    await topologyChanged(sql, node.clusterId);
  }
}

/** Consoles and compute nodes know the sequence as this table; its last row is enough, its counter outlives the rows. */
async function nextId(sql: Sql): Promise<ComputeNodeId> {
  const { insertId } = await sql.execute('INSERT INTO comp_nodes_id_seq () VALUES ()');
  await sql.execute('DELETE FROM comp_nodes_id_seq WHERE id < ?', [insertId]);
  return computeNodeId(insertId);
}
