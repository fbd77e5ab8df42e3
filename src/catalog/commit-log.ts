import type { GlobalTransaction } from '../core/global-transaction.ts';
import { quoteIdentifier } from '../engines/mysql/quote.ts';
import { commitLogTable } from './cluster-logs.ts';
import { oneOf } from './columns.ts';
import { firstRow, numberOf, textOf, type Sql } from './sql.ts';

const decisions = ['commit', 'abort'] as const;
export type Decision = (typeof decisions)[number];

/** A decision to commit, as the log has it. */
export interface CommitDecision {
  readonly id: bigint;
  readonly transaction: GlobalTransaction;
  readonly ageSeconds: number;
}

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
   * Decisions to commit in the order in which they were made, after the given one. Decisions to abort are few, and kept: a
   * compute node that has slept for long may still ask.
   */
  commitsAfter(
    sql: Sql,
    clusterName: string,
    { after, limit }: { readonly after: bigint; readonly limit: number },
  ): Promise<readonly CommitDecision[]> {
    return sql.rows(
      `SELECT id, comp_node_id, txn_id, TIMESTAMPDIFF(SECOND, prepare_ts, CURRENT_TIMESTAMP) AS age
         FROM ${quoteIdentifier(commitLogTable(clusterName))}
        WHERE id > ? AND next_txn_cmd = 'commit' ORDER BY id LIMIT ?`,
      [String(after), String(limit)],
      (row) => ({
        id: BigInt(textOf(row, 'id')),
        transaction: { compId: numberOf(row, 'comp_node_id'), number: BigInt(textOf(row, 'txn_id')) },
        ageSeconds: numberOf(row, 'age'),
      }),
    );
  }

  async forget(sql: Sql, clusterName: string, decisions: readonly CommitDecision[]): Promise<void> {
    for (const { id, transaction } of decisions) {
      await sql.execute(
        `DELETE FROM ${quoteIdentifier(commitLogTable(clusterName))}
          WHERE id = ? AND comp_node_id = ? AND txn_id = ?`,
        [String(id), transaction.compId, transaction.number],
      );
    }
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
