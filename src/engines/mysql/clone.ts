import { colonAddress, type HostPort } from '../../core/model.ts';
import { numberOf, textOf, textOrNull, type SqlSession } from '../sql.ts';
import type { ReplicationAccount } from './channel.ts';
import { quoteAccount, quoteText } from './quote.ts';

export interface CloneOrder {
  readonly donor: HostPort;
  /** May read everything at the donor (BACKUP_ADMIN). */
  readonly account: ReplicationAccount;
  /** MiB per second that the transfer may take; 0: no limit. */
  readonly limitMbPerSecond: number;
}

/** The last clone into a server (manual, "The clone_status Table"). */
export interface CloneStatus {
  readonly state: 'Not Started' | 'In Progress' | 'Completed' | 'Failed';
  /** Tells one clone from another. */
  readonly beganAt: string;
  /** The session that runs it. */
  readonly session: number;
  readonly error: string;
}

const states = ['Not Started', 'In Progress', 'Completed', 'Failed'] as const;

/** Null when no clone into this server was ever begun. */
export async function readCloneStatus(session: SqlSession): Promise<CloneStatus | null> {
  const [row] = await session.rows(
    'SELECT STATE AS state, BEGIN_TIME AS began_at, PID AS session, ERROR_MESSAGE AS error FROM performance_schema.clone_status',
  );
  if (row === undefined) return null;
  const state = states.find((known) => known === textOf(row, 'state'));
  if (state === undefined) throw new TypeError(`unknown clone state ${textOf(row, 'state')}`);
  return {
    state,
    beganAt: textOrNull(row, 'began_at') ?? '',
    session: numberOf(row, 'session'),
    error: textOrNull(row, 'error') ?? '',
  };
}

/** Bytes of the clone under way, over all of its stages. */
export async function readCloneProgress(
  session: SqlSession,
): Promise<{ readonly transferred: number; readonly expected: number }> {
  const [row] = await session.rows(
    `SELECT COALESCE(SUM(DATA), 0) AS transferred, COALESCE(SUM(GREATEST(ESTIMATE, DATA)), 0) AS expected
       FROM performance_schema.clone_progress WHERE STAGE IN ('FILE COPY', 'PAGE COPY', 'REDO COPY')`,
  );
  return row === undefined
    ? { transferred: 0, expected: 0 }
    : { transferred: numberOf(row, 'transferred'), expected: numberOf(row, 'expected') };
}

/** Ends a clone that somebody else's session runs. */
export async function stopClone(session: SqlSession, { session: id }: CloneStatus): Promise<void> {
  await session.query(`KILL ${String(id)}`);
}

/**
 * Replaces all data of this server by the donor's. At its end the server restarts, so the statement ends with a lost
 * connection; `readCloneStatus` of the restarted server tells the outcome. The settings below do not outlive the
 * restart; when the clone fails they are taken back here.
 *
 * super_read_only has to be off for it. read_only stays on, so that only accounts of the manager could write.
 */
export async function cloneFrom(
  session: SqlSession,
  { donor, account, limitMbPerSecond }: CloneOrder,
  timeoutMs: number,
): Promise<void> {
  await session.execute('SET GLOBAL clone_valid_donor_list = ?', [colonAddress(donor)]);
  await limitClone(session, limitMbPerSecond);
  await session.execute('SET GLOBAL super_read_only = OFF');
  await session.query(
    `CLONE INSTANCE FROM ${quoteAccount(account.user, donor.hostaddr)}:${String(donor.port)}
       IDENTIFIED BY ${quoteText(account.password)} REQUIRE SSL`,
    { timeoutMs },
  );
}

/** After a clone that failed: as before it. */
export async function restoreAfterClone(session: SqlSession): Promise<void> {
  await session.execute('SET GLOBAL super_read_only = ON');
  await limitClone(session, 0);
}

async function limitClone(session: SqlSession, mbPerSecond: number): Promise<void> {
  if (!Number.isSafeInteger(mbPerSecond)) throw new RangeError('the limit must be a whole number');
  // Not parameters: the driver binds numbers as DOUBLE, which integer variables refuse.
  await session.query(`SET GLOBAL clone_max_data_bandwidth = ${String(mbPerSecond)}`);
  await session.query(`SET GLOBAL clone_max_network_bandwidth = ${String(mbPerSecond)}`);
  // The server divides the limit among its threads and lets each exceed its part; one thread keeps it closely.
  await session.query(`SET GLOBAL clone_autotune_concurrency = ${mbPerSecond === 0 ? 'ON' : 'OFF'}`);
  await session.query(`SET GLOBAL clone_max_concurrency = ${mbPerSecond === 0 ? 'DEFAULT' : '1'}`);
}
