import type { ClusterId } from '../core/ids.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { quoteIdentifier } from '../engines/mysql/quote.ts';
import { commitLogTable, definitionLogTable } from './cluster-logs.ts';
import { firstRow, numberOf, textOf, type Sql } from './sql.ts';

/** Which shards a cluster had since when: point-in-time restore over added shards needs it. */
export class TopologyLog {
  /**
   * Notes the cluster's shards as they are in this transaction, with the newest entries of its logs; call it after every
   * change of the set. Nothing happens when the last note says the same. @throws KlusterError cluster_not_found
   */
  async record(sql: Sql, cluster: ClusterId): Promise<void> {
    const name = await firstRow(sql, 'SELECT name FROM db_clusters WHERE id = ?', [cluster], (row) =>
      textOf(row, 'name'),
    );
    if (name === undefined) {
      throw new KlusterError('cluster_not_found', `there is no cluster with id ${String(cluster)}`);
    }
    const ids = await sql.rows(
      'SELECT id FROM shards WHERE db_cluster_id = ? ORDER BY id',
      [cluster],
      (row) => String(numberOf(row, 'id')),
    );
    const last = await firstRow(
      sql,
      'SELECT shard_id FROM cluster_shard_topology WHERE cluster_id = ? ORDER BY id DESC LIMIT 1',
      [cluster],
      (row) => textOf(row, 'shard_id'),
    );
    if (last === ids.join(',')) return;
    await sql.execute(
      `INSERT INTO cluster_shard_topology (cluster_id, shard_id, max_commit_log_id, max_ddl_log_id)
       SELECT ?, ?, (SELECT COALESCE(MAX(id), 0) FROM ${quoteIdentifier(commitLogTable(name))}),
              (SELECT COALESCE(MAX(id), 0) FROM ${quoteIdentifier(definitionLogTable(name))})`,
      [cluster, ids.join(',')],
    );
  }
}
