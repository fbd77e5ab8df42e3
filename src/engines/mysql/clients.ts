import { EngineSqlError } from '../sql-error.ts';
import { numberOf, textOf, textOrNull, type SqlRow, type SqlSession } from '../sql.ts';

/** Threads of the server itself, and those that send the binary log to replicas. */
const serverThreads: ReadonlySet<string> = new Set(['Daemon', 'Connect', 'Binlog Dump', 'Binlog Dump GTID']);
/** Such a commit is decided already and ends by itself when a replica acknowledges it. */
const waitsForAcknowledgement = 'Waiting for semi-sync ACK from replica';

export interface ClientChoice {
  /** Users whose sessions are left alone, beside the one that asks. */
  readonly spare: readonly string[];
  /** Only sessions that are executing a statement; those that wait for an acknowledgement are not. */
  readonly onlyBusy: boolean;
}

/**
 * Ends the sessions of clients; a transaction that is under way rolls back. SHOW PROCESSLIST, because
 * performance_schema of a small node does not list every session.
 */
export async function disconnectClients(
  session: SqlSession,
  { spare, onlyBusy }: ClientChoice,
): Promise<number> {
  const rows = await session.query('SHOW PROCESSLIST');
  const spared = new Set(['system user', 'event_scheduler', ...spare]);
  const chosen = rows.filter(
    (row) =>
      !spared.has(textOf(row, 'User')) &&
      !serverThreads.has(textOf(row, 'Command')) &&
      (!onlyBusy || isBusy(row)),
  );
  for (const row of chosen) await disconnect(session, numberOf(row, 'Id'));
  return chosen.length;
}

function isBusy(row: SqlRow): boolean {
  const state = textOrNull(row, 'State') ?? '';
  return textOf(row, 'Command') !== 'Sleep' && state !== waitsForAcknowledgement;
}

/** KILL takes no parameter. ER_NO_SUCH_THREAD: it has ended by itself. */
export async function disconnect(session: SqlSession, id: number): Promise<void> {
  try {
    await session.query(`KILL CONNECTION ${String(Math.trunc(id))}`);
  } catch (error) {
    if (!(error instanceof EngineSqlError) || error.errno !== 1094) throw error;
  }
}
