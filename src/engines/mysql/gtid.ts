import { numberOf, textOf, type SqlSession } from '../sql.ts';

export async function executedGtids(session: SqlSession): Promise<string> {
  const [row] = await session.rows('SELECT @@GLOBAL.gtid_executed AS value');
  return row === undefined ? '' : textOf(row, 'value');
}

/** Executed transactions that are in no binary log (any more). */
export async function purgedGtids(session: SqlSession): Promise<string> {
  const [row] = await session.rows('SELECT @@GLOBAL.gtid_purged AS value');
  return row === undefined ? '' : textOf(row, 'value');
}

/** Waits until the server has applied `gtids`; false when it has not after `seconds`. */
export async function waitForGtids(session: SqlSession, gtids: string, seconds: number): Promise<boolean> {
  const [row] = await session.rows('SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS timed_out', [gtids, seconds], {
    timeoutMs: (seconds + 5) * 1000,
  });
  return row !== undefined && numberOf(row, 'timed_out') === 0;
}

/** What the server's replication channels have received, applied or not; without a channel the empty set. */
export async function receivedGtids(session: SqlSession): Promise<string> {
  const rows = await session.rows(
    `SELECT RECEIVED_TRANSACTION_SET AS value FROM performance_schema.replication_connection_status
      WHERE RECEIVED_TRANSACTION_SET <> ''`,
  );
  return rows.map((row) => textOf(row, 'value')).join(',');
}

export async function serverUuid(session: SqlSession): Promise<string> {
  const [row] = await session.rows('SELECT @@GLOBAL.server_uuid AS value');
  return row === undefined ? '' : textOf(row, 'value');
}
