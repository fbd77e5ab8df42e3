import { jobId, type JobId } from '../core/ids.ts';
import type { MachineType } from '../core/model.ts';
import { listOf, oneOf } from './columns.ts';
import { machineTypes } from './machines.ts';
import { firstRow, numberOf, textOf, textOrNull, type Sql } from './sql.ts';

/** Reads what no other part of the manager needs: rows that could contradict each other. */

/** The epoch of the newest term of office. */
export function newestEpoch(sql: Sql): Promise<number | undefined> {
  return firstRow(sql, 'SELECT epoch FROM kluster_leadership', [], (row) => numberOf(row, 'epoch'));
}

export interface PublicPorts {
  readonly hostaddr: string;
  readonly machineType: MachineType;
  readonly used: readonly string[];
  readonly installing: readonly string[];
}

/** The public columns that mirror the reservations of each machine. */
export function publicPorts(sql: Sql): Promise<readonly PublicPorts[]> {
  return sql.rows(
    `SELECT hostaddr, machine_type, used_port, installing_port FROM server_nodes
      WHERE machine_type IS NOT NULL`,
    [],
    (row) => ({
      hostaddr: textOf(row, 'hostaddr'),
      machineType: oneOf(row, 'machine_type', machineTypes),
      used: listOf(row, 'used_port'),
      installing: listOf(row, 'installing_port'),
    }),
  );
}

/** A row of node_map_master; both as `ip_port`. Those of the metadata cluster are left out. */
export interface NodeMapRow {
  readonly clusterId: number;
  readonly node: string;
  readonly master: string;
}

export function nodeMapRows(sql: Sql): Promise<readonly NodeMapRow[]> {
  return sql.rows(
    'SELECT cluster_id, node_host, master_host FROM node_map_master WHERE cluster_id > 0',
    [],
    (row) => ({
      clusterId: numberOf(row, 'cluster_id'),
      node: textOf(row, 'node_host'),
      master: textOf(row, 'master_host'),
    }),
  );
}

export interface ShardState {
  readonly id: number;
  readonly recordedNodes: number;
  readonly degraded: boolean;
}

export function shardStates(sql: Sql): Promise<readonly ShardState[]> {
  return sql.rows('SELECT id, num_nodes, degrade_run_state FROM shards', [], (row) => ({
    id: numberOf(row, 'id'),
    recordedNodes: numberOf(row, 'num_nodes'),
    degraded: textOf(row, 'degrade_run_state') === 'ON',
  }));
}

/** Clusters that their create_cluster job has completed. */
export function completeClusters(sql: Sql): Promise<readonly number[]> {
  return sql.rows("SELECT id FROM db_clusters WHERE COALESCE(memo, '') <> ''", [], (row) =>
    numberOf(row, 'id'),
  );
}

export interface ClusterRow {
  readonly table: string;
  readonly clusterId: number;
}

/** Which clusters the rows belong to that no foreign key ties to db_clusters. */
export function clusterRows(sql: Sql): Promise<readonly ClusterRow[]> {
  return sql.rows(
    `SELECT DISTINCT 'cluster_shard_topology' AS table_name, cluster_id FROM cluster_shard_topology
      UNION SELECT DISTINCT 'node_map_master', cluster_id FROM node_map_master WHERE cluster_id > 0
      UNION SELECT DISTINCT 'rbr_consfailover', cluster_id FROM rbr_consfailover WHERE cluster_id > 0
      UNION SELECT DISTINCT 'kluster_credentials', CAST(SUBSTRING_INDEX(scope, ':', -1) AS UNSIGNED)
       FROM kluster_credentials WHERE scope LIKE 'cluster:%'`,
    [],
    (row) => ({ table: textOf(row, 'table_name'), clusterId: numberOf(row, 'cluster_id') }),
  );
}

export interface LogTable {
  readonly name: string;
  readonly partitions: readonly string[];
}

/** The tables that each cluster has of its own, with their partitions. */
export async function logTables(sql: Sql): Promise<readonly LogTable[]> {
  const rows = await sql.rows(
    String.raw`SELECT t.TABLE_NAME AS name, p.PARTITION_NAME AS part
       FROM information_schema.TABLES AS t
       LEFT JOIN information_schema.PARTITIONS AS p
         ON p.TABLE_SCHEMA = t.TABLE_SCHEMA AND p.TABLE_NAME = t.TABLE_NAME
      WHERE t.TABLE_SCHEMA = DATABASE()
        AND (t.TABLE_NAME LIKE 'commit\_log\_cluster\_%' OR t.TABLE_NAME LIKE 'ddl\_ops\_log\_cluster\_%')`,
    [],
    (row) => ({ name: textOf(row, 'name'), part: textOrNull(row, 'part') }),
  );
  const tables = new Map<string, string[]>();
  for (const { name, part } of rows) {
    const parts = tables.get(name) ?? [];
    tables.set(name, part === null ? parts : [...parts, part]);
  }
  return [...tables].map(([name, partitions]) => ({ name, partitions }));
}

export interface UnfinishedJob {
  readonly id: JobId;
  readonly jobType: string;
  readonly phase: string;
  readonly locks: readonly string[];
  /** Seconds since anything happened to it. */
  readonly quietSeconds: number;
}

export function unfinishedJobs(sql: Sql): Promise<readonly UnfinishedJob[]> {
  return sql.rows(
    `SELECT job.job_id, job.job_type, job.phase, job.locks,
            TIMESTAMPDIFF(SECOND, COALESCE((SELECT MAX(event.at) FROM kluster_job_events AS event
               WHERE event.job_id = job.job_id), job.submitted_at), UTC_TIMESTAMP(3)) AS quiet
       FROM kluster_jobs AS job WHERE job.phase <> 'ended' ORDER BY job.job_id`,
    [],
    (row) => ({
      id: jobId(numberOf(row, 'job_id')),
      jobType: textOf(row, 'job_type'),
      phase: textOf(row, 'phase'),
      locks: (JSON.parse(textOf(row, 'locks')) as readonly unknown[]).map(String),
      quietSeconds: numberOf(row, 'quiet'),
    }),
  );
}

export interface JobDifference {
  readonly id: JobId;
  readonly status: string;
  readonly phase: string;
}

/** Jobs whose public status says ended while the engine has them under way, or the other way round. */
export function jobDifferences(sql: Sql): Promise<readonly JobDifference[]> {
  return sql.rows(
    `SELECT job.job_id, public.status, job.phase
       FROM kluster_jobs AS job JOIN cluster_general_job_log AS public ON public.id = job.job_id
      WHERE (job.phase = 'ended') <> (public.status IN ('done', 'failed'))`,
    [],
    (row) => ({
      id: jobId(numberOf(row, 'job_id')),
      status: textOf(row, 'status'),
      phase: textOf(row, 'phase'),
    }),
  );
}

export interface DeadLock {
  readonly lock: string;
  readonly id: JobId;
}

/** Locks of jobs that have ended or are gone. */
export function deadLocks(sql: Sql): Promise<readonly DeadLock[]> {
  return sql.rows(
    `SELECT held.lock_name, held.job_id
       FROM kluster_job_locks AS held LEFT JOIN kluster_jobs AS job ON job.job_id = held.job_id
      WHERE job.job_id IS NULL OR job.phase = 'ended'`,
    [],
    (row) => ({ lock: textOf(row, 'lock_name'), id: jobId(numberOf(row, 'job_id')) }),
  );
}
