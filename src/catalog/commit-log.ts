import type { GlobalTransaction } from '../core/global-transaction.ts';
import { quoteIdentifier } from '../engines/mysql/quote.ts';
import { commitLogTable } from './cluster-logs.ts';
import { oneOf } from './columns.ts';
import { firstRow, type Sql } from './sql.ts';

const decisions = ['commit', 'abort'] as const;
export type Decision = (typeof decisions)[number];

/** Decisions about transactions over several shards. The unique key arbitrates: whoever inserts first decides. */
export class CommitLog {
  /** What was decided; undefined when nothing is, yet. */
  find(sql: Sql, clusterName: string, transaction: GlobalTransaction): Promise<Decision | undefined> {
    return firstRow(
      sql,
      `SELECT next_txn_cmd FROM ${quoteIdentifier(commitLogTable(clusterName))}
        WHERE comp_node_id = ? AND txn_id = ?`,
      [transaction.compId, transaction.number],
      (row) => oneOf(row, 'next_txn_cmd', decisions),
    );
  }

  /**
   * Decides to abort, unless the compute node has decided to commit. From the commit of `sql` on, its own attempt to decide is
   * refused.
   */
  async abortUnlessDecided(sql: Sql, clusterName: string, transaction: GlobalTransaction): Promise<Decision> {
    // The insert waits for one of the compute node that is not committed yet; it changes no row that is there.
    await sql.execute(
      `INSERT INTO ${quoteIdentifier(commitLogTable(clusterName))} (comp_node_id, txn_id, next_txn_cmd)
       VALUES (?, ?, 'abort') ON DUPLICATE KEY UPDATE next_txn_cmd = next_txn_cmd`,
      [transaction.compId, transaction.number],
    );
    const decision = await firstRow(
      sql,
      `SELECT next_txn_cmd FROM ${quoteIdentifier(commitLogTable(clusterName))}
        WHERE comp_node_id = ? AND txn_id = ? FOR UPDATE`,
      [transaction.compId, transaction.number],
      (row) => oneOf(row, 'next_txn_cmd', decisions),
    );
    if (decision === undefined) throw new RangeError('a row that was just written is not there');
    return decision;
  }
}
