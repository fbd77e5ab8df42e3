import { numberOf, type SqlSession } from '../sql.ts';
import { numericStatus, isStatusOn } from './status.ts';

/** Lossless semi-sync on the source: AFTER_SYNC and the endless timeout are in the option file of every node. */
export interface SemiSyncState {
  readonly enabled: boolean;
  /** Acknowledgements that a commit waits for. */
  readonly waitForReplicaCount: number;
  /** Semi-sync replicas connected now. */
  readonly clients: number;
  /** Sessions whose commit waits for acknowledgements. */
  readonly waiting: number;
}

export async function readSemiSync(session: SqlSession): Promise<SemiSyncState> {
  const [variables] = await session.rows(
    `SELECT @@GLOBAL.rpl_semi_sync_source_enabled AS enabled,
            @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count AS wait_for`,
  );
  return {
    enabled: variables !== undefined && numberOf(variables, 'enabled') === 1,
    waitForReplicaCount: variables === undefined ? 0 : numberOf(variables, 'wait_for'),
    clients: await numericStatus(session, 'Rpl_semi_sync_source_clients'),
    waiting: await numericStatus(session, 'Rpl_semi_sync_source_wait_sessions'),
  };
}

/** From now on commits wait for so many acknowledgements; with 0 for none, and those that wait return. */
export async function setAcknowledgements(session: SqlSession, acknowledgements: number): Promise<void> {
  if (acknowledgements > 0) return requireAcknowledgements(session, acknowledgements);
  await session.execute('SET PERSIST rpl_semi_sync_source_enabled = OFF');
}

/**
 * Waits until every transaction is executed whose commit had been written when this was called; what such a commit has
 * waited for was decided before. Rotating the binary log waits for them.
 */
export async function commitBarrier(session: SqlSession): Promise<void> {
  await session.query('FLUSH LOCAL BINARY LOGS');
}

/**
 * Commits a transaction without any effect. A replica that has received what a commit waits for over an earlier connection does
 * not acknowledge it any more; the acknowledgement of something later counts for it. Not by FLUSH: a server that is read-only
 * lets that pass, and then has a transaction that its primary lacks (seen with 9.7); this one it refuses.
 * @throws KlusterError engine_sql on a read-only server
 */
export async function commitNothing(session: SqlSession): Promise<void> {
  await session.query('CREATE DATABASE IF NOT EXISTS sys');
}

/** From now on a commit on this server returns only after `acknowledgements` replicas have it in their relay logs. */
export async function requireAcknowledgements(session: SqlSession, acknowledgements: number): Promise<void> {
  if (!Number.isSafeInteger(acknowledgements))
    throw new RangeError('acknowledgements must be a whole number');
  // Not a parameter: the driver binds numbers as DOUBLE, which an integer variable refuses.
  await session.query(
    `SET PERSIST rpl_semi_sync_source_wait_for_replica_count = ${String(acknowledgements)}`,
  );
  await session.execute('SET PERSIST rpl_semi_sync_source_enabled = ON');
}

/** Whether the server, as a replica, acknowledges what it receives now. */
export function acknowledgesSource(session: SqlSession): Promise<boolean> {
  return isStatusOn(session, 'Rpl_semi_sync_replica_status');
}
