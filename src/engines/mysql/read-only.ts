import { setTimeout as sleep } from 'node:timers/promises';
import { numberOf, type SqlSession } from '../sql.ts';
import { disconnect, disconnectClients } from './clients.ts';

export async function isSuperReadOnly(session: SqlSession): Promise<boolean> {
  const [row] = await session.rows('SELECT @@GLOBAL.super_read_only AS value');
  return row !== undefined && numberOf(row, 'value') === 1;
}

/** Opens a server for writes. Never persisted: every start is read-only until the manager decides again. */
export async function makeWritable(session: SqlSession): Promise<void> {
  await session.execute('SET GLOBAL super_read_only = OFF');
  await session.execute('SET GLOBAL read_only = OFF');
}

/** Turns `read_only` on as well. Waits for running transactions, so the caller gives a deadline. */
export async function makeReadOnly(session: SqlSession): Promise<void> {
  await session.execute('SET GLOBAL super_read_only = ON');
}

/**
 * `makeReadOnly`, and whoever has begun something loses it. A server that is read-only still takes XA PREPARE and XA COMMIT of a
 * branch that was begun before (seen with 9.7), and does not wait for acknowledgements once it follows another: a client would be
 * told of a commit that no other node has.
 */
export async function shutOut(session: SqlSession, spare: readonly string[]): Promise<void> {
  await makeReadOnly(session);
  await disconnectClients(session, { spare, onlyBusy: false });
}

export interface ClosingSessions {
  /** Waits for what runs. */
  readonly closing: SqlSession;
  /** Ends what takes too long. */
  readonly control: SqlSession;
}

/** Statements that are nearly done may end by themselves. */
const busyGraceMs = 80;
const busyAgainMs = 40;

/**
 * Closes a server that clients write to. Nothing new begins from the first moment; what still runs after a short grace is
 * disconnected, commits that wait for an acknowledgement excepted. Ends within about two seconds: done, or with nothing
 * left pending in the server.
 */
export async function closeForWrites(
  { closing, control }: ClosingSessions,
  spare: readonly string[],
): Promise<void> {
  const [row] = await closing.rows('SELECT CONNECTION_ID() AS id');
  // The server's own bound, in whole seconds: a client that goes away does not take its statement along.
  await closing.query('SET SESSION lock_wait_timeout = 1');
  const done = new AbortController();
  const [closed, hurried] = await Promise.allSettled([
    makeReadOnly(closing).finally(() => done.abort()),
    hurry(control, spare, done.signal),
  ]);
  if (closed.status === 'fulfilled') return;
  if (row !== undefined) await disconnect(control, numberOf(row, 'id'));
  throw hurried.status === 'rejected' ? hurried.reason : closed.reason;
}

async function hurry(control: SqlSession, spare: readonly string[], done: AbortSignal): Promise<void> {
  const pause = (milliseconds: number): Promise<void> =>
    sleep(milliseconds, undefined, { signal: done }).catch(() => undefined);
  await pause(busyGraceMs);
  while (!done.aborted) {
    await disconnectClients(control, { spare, onlyBusy: true });
    await pause(busyAgainMs);
  }
}
