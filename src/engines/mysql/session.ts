import type { Connection } from 'mysql2/promise';
import { logIn } from './log-in.ts';

interface LocalLogin {
  readonly socket: string;
  readonly user: string;
  readonly password: string;
  readonly connectMs: number;
}

/** Runs `work` in a session over the local socket and closes it; aborting cuts the connection. */
export async function withLocalSession<Result>(
  login: LocalLogin,
  signal: AbortSignal,
  work: (session: Connection) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const session = await logIn({
    socketPath: login.socket,
    user: login.user,
    password: login.password,
    connectTimeout: login.connectMs,
  });
  const cut = (): void => {
    session.destroy();
  };
  // mysql2 reports a broken connection both to the statement under way and as an event; the statement's is enough.
  session.on('error', cut);
  signal.addEventListener('abort', cut, { once: true });
  try {
    return await work(session);
  } finally {
    signal.removeEventListener('abort', cut);
    session.destroy();
  }
}

/** Error numbers of the server's reply (manual, "Server Error Message Reference"). */
export const accessDenied = 1045;
export const accountLocked = 3118;

export function serverErrorNumber(error: unknown): number | null {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? error.errno : null;
}
