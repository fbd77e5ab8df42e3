import { KlusterError } from '../core/errors/kluster-error.ts';
import { clusterId, type ClusterId } from '../core/ids.ts';
import { haModes, type Cluster, type HaMode } from '../core/model.ts';
import type { ClusterLogs } from './cluster-logs.ts';
import type { ComputeAccess } from './compute-access.ts';
import { memoText, parseMemo, type ClusterMemo } from './cluster-memo.ts';
import { dateOf, oneOf } from './columns.ts';
import { clusterScope } from './credentials.ts';
import type { MetadataDatabase } from './database.ts';
import type { Ports } from './ports.ts';
import { nextNumber } from './sequences.ts';
import { firstRow, givenIds, numberOf, textOf, textOrNull, type Sql, type SqlRow } from './sql.ts';

export interface NewCluster {
  /** From `nextName`. */
  readonly name: string;
  readonly nickName: string;
  readonly haMode: HaMode;
}

const parseCluster = (row: SqlRow): Cluster => ({
  id: clusterId(numberOf(row, 'id')),
  name: textOf(row, 'name'),
  nickName: textOrNull(row, 'nick_name') ?? textOf(row, 'name'),
  haMode: oneOf(row, 'ha_mode', haModes),
  whenCreated: dateOf(row, 'when_created'),
});

const selectClusters = 'SELECT id, name, nick_name, ha_mode, when_created FROM db_clusters';

/** Owner and line of business are columns of other products' making; consoles show them. */
const owner = 'abc';
const business = 'kunlun';

/**
 * Rows that belong to one cluster, in an order that foreign keys allow; instances go with their nodes. Every statement
 * takes the cluster's id once.
 */
const removals = [
  'DELETE FROM cluster_shard_topology WHERE cluster_id = ?',
  'DELETE FROM cluster_coldbackups WHERE cluster_id = ?',
  'DELETE FROM cluster_shard_backup_restore_log WHERE cluster_id = ?',
  'DELETE FROM cluster_logicalbackup_record WHERE cluster_id = ?',
  'DELETE FROM cluster_scheduler_jobs WHERE cluster_id = ?',
  'DELETE FROM cluster_alarm_info WHERE cluster_id = ?',
  'DELETE FROM rbr_consfailover WHERE cluster_id = ?',
  'DELETE FROM node_map_master WHERE cluster_id = ?',
  'DELETE FROM proxysql_nodes WHERE db_cluster_id = ?',
  'DELETE FROM shard_nodes WHERE db_cluster_id = ?',
  'DELETE FROM shards WHERE db_cluster_id = ?',
  'DELETE FROM comp_nodes WHERE db_cluster_id = ?',
  'DELETE FROM db_clusters WHERE id = ?',
] as const;

/** Database clusters: a row, two tables of their own, and everything that hangs on them. */
export class Clusters {
  private readonly database: MetadataDatabase;
  private readonly logs: ClusterLogs;
  private readonly access: ComputeAccess;
  private readonly ports: Ports;

  constructor(
    database: MetadataDatabase,
    parts: { readonly logs: ClusterLogs; readonly access: ComputeAccess; readonly ports: Ports },
  ) {
    this.database = database;
    this.logs = parts.logs;
    this.access = parts.access;
    this.ports = parts.ports;
  }

  /** `cluster_<unix seconds>_<six digits>`; no other call ever gets the same. */
  async nextName(sql: Sql, now: Date = new Date()): Promise<string> {
    const number = await nextNumber(sql, 'cluster_name');
    const seconds = Math.floor(now.getTime() / 1000);
    return `cluster_${String(seconds)}_${String(number % 1_000_000).padStart(6, '0')}`;
  }

  /**
   * Row and log tables. A repeated call with the same name finishes what the first one began. Consoles show the cluster
   * as abnormal until `setMemo`.
   */
  async insert(cluster: NewCluster, signal?: AbortSignal): Promise<ClusterId> {
    const id = await this.database.write((sql) => this.insertRow(sql, cluster), signal);
    await this.logs.create(cluster.name, signal);
    return id;
  }

  /** Nothing happens when there is no such cluster (any more). Its engines must be gone: see `removeRows`. */
  async removeByName(name: string, signal?: AbortSignal): Promise<void> {
    const known = await this.database.read((sql) => this.findByName(sql, name), signal);
    if (known !== undefined) await this.access.drop(known.id, signal);
    await this.logs.drop(name, signal);
    await this.database.write(async (sql) => {
      const cluster = await this.findByName(sql, name);
      if (cluster !== undefined) await this.removeRows(sql, cluster.id);
    }, signal);
  }

  find(sql: Sql, id: ClusterId): Promise<Cluster | undefined> {
    return firstRow(sql, `${selectClusters} WHERE id = ?`, [id], parseCluster);
  }

  listByIds(sql: Sql, ids: readonly ClusterId[]): Promise<readonly Cluster[]> {
    return sql.rows(`${selectClusters} WHERE id IN ${givenIds}`, [JSON.stringify(ids)], parseCluster);
  }

  findByName(sql: Sql, name: string): Promise<Cluster | undefined> {
    return firstRow(sql, `${selectClusters} WHERE name = ?`, [name], parseCluster);
  }

  /** Nick names need not be unique. */
  findByNickName(sql: Sql, nickName: string): Promise<readonly Cluster[]> {
    return sql.rows(`${selectClusters} WHERE nick_name = ? ORDER BY id`, [nickName], parseCluster);
  }

  list(sql: Sql): Promise<readonly Cluster[]> {
    return sql.rows(`${selectClusters} ORDER BY id`, [], parseCluster);
  }

  /** @throws KlusterError cluster_not_found */
  async rename(sql: Sql, id: ClusterId, nickName: string): Promise<void> {
    const { affectedRows } = await sql.execute('UPDATE db_clusters SET nick_name = ? WHERE id = ?', [
      nickName,
      id,
    ]);
    if (affectedRows === 0) throw notFound(id);
  }

  /** A password among the keys is not stored. @throws KlusterError cluster_not_found */
  async setMemo(sql: Sql, id: ClusterId, memo: ClusterMemo): Promise<void> {
    const { affectedRows } = await sql.execute('UPDATE db_clusters SET memo = ? WHERE id = ?', [
      memoText(memo),
      id,
    ]);
    if (affectedRows === 0) throw notFound(id);
  }

  /** Replaces some keys, e.g. when nodes were added. @throws KlusterError cluster_not_found, also without a memo */
  async changeMemo(sql: Sql, id: ClusterId, changes: Readonly<Record<string, string>>): Promise<void> {
    const memo = await firstRow(sql, 'SELECT memo FROM db_clusters WHERE id = ? FOR UPDATE', [id], memoOf);
    if (memo === undefined) throw notFound(id);
    await sql.execute('UPDATE db_clusters SET memo = ? WHERE id = ?', [
      memoText({ ...memo, ...changes }),
      id,
    ]);
  }

  /** Undefined when the cluster is not (yet) complete, or there is none. */
  memo(sql: Sql, id: ClusterId): Promise<Readonly<Record<string, string>> | undefined> {
    return firstRow(sql, 'SELECT memo FROM db_clusters WHERE id = ?', [id], memoOf);
  }

  private async insertRow(sql: Sql, cluster: NewCluster): Promise<ClusterId> {
    const { name, nickName, haMode } = cluster;
    const existing = await this.findByName(sql, name);
    if (existing !== undefined) return existing.id;
    const { insertId } = await sql.execute(
      `INSERT INTO db_clusters (name, nick_name, owner, ddl_log_tblname, business, ha_mode)
       VALUES (?, ?, ?, ?, ?, ?)`,
      [name, nickName, owner, `ddl_ops_log_${name}`, business, haMode],
    );
    return clusterId(insertId);
  }

  /** Ports of an instance that is still to be removed (its machine does not answer) stay reserved. */
  private async removeRows(sql: Sql, id: ClusterId): Promise<void> {
    const owners = await sql.rows(
      `SELECT ports.owner FROM kluster_ports AS ports
         JOIN kluster_instances AS instance ON instance.instance_id = ports.owner
         LEFT JOIN shard_nodes AS storage ON storage.id = instance.shard_node_id
         LEFT JOIN comp_nodes AS compute ON compute.id = instance.comp_node_id
        WHERE COALESCE(storage.db_cluster_id, compute.db_cluster_id) = ?
          AND ports.owner NOT IN (SELECT instance_id FROM kluster_pending_removals)`,
      [id],
      (row) => textOf(row, 'owner'),
    );
    for (const owner of owners) await this.ports.release(sql, owner);
    await sql.execute('DELETE FROM kluster_credentials WHERE scope = ?', [clusterScope(id)]);
    for (const statement of removals) await sql.execute(statement, [id]);
  }
}

function memoOf(row: SqlRow): Readonly<Record<string, string>> | undefined {
  const text = textOrNull(row, 'memo');
  return text === null || text === '' ? undefined : parseMemo(text);
}

function notFound(id: ClusterId): KlusterError {
  return new KlusterError('cluster_not_found', `there is no cluster with id ${String(id)}`);
}
