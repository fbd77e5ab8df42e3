import type { Connection } from 'mysql2/promise';
import { persistedValue } from './persisted-variables.ts';
import { serverErrorNumber } from './session.ts';

/** Commits get this long to end before the server does; the server counts in whole seconds. */
const lastCommitsSeconds = 2;
/** ER_LOCK_WAIT_TIMEOUT. */
const lockWaitTimeout = 1205;

/**
 * Closes a server that is about to be asked to end. A mysqld that shuts down waits for acknowledgements no more and answers
 * OK to the commits that did (`SemiSyncMaster::commitTrx` leaves its wait when the server ends): so none may be left, and
 * none begin. False: some are left, and the server must be killed, which answers nothing.
 */
export async function closeBeforeEnd(session: Connection): Promise<boolean> {
  await session.query(`SET SESSION lock_wait_timeout = ${String(lastCommitsSeconds)}`);
  try {
    await session.query('SET GLOBAL super_read_only = ON');
    return true;
  } catch (error) {
    if (serverErrorNumber(error) !== lockWaitTimeout) throw error;
  }
  const [rows] = await session.query("SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_source_enabled'");
  return !JSON.stringify(rows).includes('"ON"');
}

/** What is assumed of a server that cannot be asked: whether commits would wait, should it be a primary. */
export async function awaitsNothing(dataDirectory: string): Promise<boolean> {
  return (await persistedValue(dataDirectory, 'rpl_semi_sync_source_enabled')) !== 'ON';
}
