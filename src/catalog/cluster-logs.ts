import type { ComputeNodeId } from '../core/ids.ts';
import { quoteIdentifier } from '../engines/mysql/quote.ts';
import { numberOf, type SqlSession } from '../engines/sql.ts';
import type { MetadataDatabase } from './database.ts';

export const commitLogTable = (clusterName: string): string => `commit_log_${clusterName}`;
export const definitionLogTable = (clusterName: string): string => `ddl_ops_log_${clusterName}`;

const partitionName = (id: ComputeNodeId): string => `p${String(id)}`;

/**
 * The two tables that every cluster has of its own: commit decisions of its compute nodes, and definitions for the
 * other compute nodes to follow. MySQL commits what is done here by itself, so every method bears repetition.
 */
export class ClusterLogs {
  private readonly database: MetadataDatabase;

  constructor(database: MetadataDatabase) {
    this.database = database;
  }

  create(clusterName: string, signal?: AbortSignal): Promise<void> {
    const commitLog = quoteIdentifier(commitLogTable(clusterName));
    const definitionLog = quoteIdentifier(definitionLogTable(clusterName));
    return this.database.define(async (session) => {
      await session.query(`CREATE TABLE IF NOT EXISTS ${commitLog} LIKE commit_log_template_table`);
      await session.query(`CREATE TABLE IF NOT EXISTS ${definitionLog} LIKE ddl_ops_log_template_table`);
    }, signal);
  }

  drop(clusterName: string, signal?: AbortSignal): Promise<void> {
    const tables = [commitLogTable(clusterName), definitionLogTable(clusterName)].map(quoteIdentifier);
    return this.database.define(async (session) => {
      await session.query(`DROP TABLE IF EXISTS ${tables.join(', ')}`);
    }, signal);
  }

  /** Gives a compute node its partition of the commit log; it cannot commit over several shards without. */
  addComputeNode(clusterName: string, id: ComputeNodeId, signal?: AbortSignal): Promise<void> {
    return this.database.define(async (session) => {
      if (await hasPartition(session, clusterName, id)) return;
      await session.query(
        `ALTER TABLE ${quoteIdentifier(commitLogTable(clusterName))}
           ADD PARTITION (PARTITION ${quoteIdentifier(partitionName(id))} VALUES IN (${String(id)}))`,
      );
    }, signal);
  }

  /** Takes the partition away with every decision in it. */
  dropComputeNode(clusterName: string, id: ComputeNodeId, signal?: AbortSignal): Promise<void> {
    return this.database.define(async (session) => {
      if (!(await hasPartition(session, clusterName, id))) return;
      await session.query(
        `ALTER TABLE ${quoteIdentifier(commitLogTable(clusterName))}
           DROP PARTITION ${quoteIdentifier(partitionName(id))}`,
      );
    }, signal);
  }
}

/** Two jobs never change one cluster at the same time, so what this says still holds in the next statement. */
async function hasPartition(session: SqlSession, clusterName: string, id: ComputeNodeId): Promise<boolean> {
  const [row] = await session.rows(
    `SELECT COUNT(*) AS found FROM information_schema.PARTITIONS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND PARTITION_NAME = ?`,
    [commitLogTable(clusterName), partitionName(id)],
  );
  return row !== undefined && numberOf(row, 'found') > 0;
}
