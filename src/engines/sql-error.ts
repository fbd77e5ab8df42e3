import { KlusterError } from '../core/errors/kluster-error.ts';

interface SqlFault {
  readonly code: string | undefined;
  readonly errno: number | undefined;
  readonly sqlState: string | undefined;
  readonly lost: boolean;
}

/**
 * A statement was refused, or the server could not be reached. The message names server and cause, never a
 * parameter of the statement.
 */
export class EngineSqlError extends KlusterError {
  /** Symbol of the error: MySQL's ER_… name, PostgreSQL's SQLSTATE, or the system's (ECONNREFUSED …). */
  readonly symbol: string | undefined;
  /** MySQL's error number. */
  readonly errno: number | undefined;
  readonly sqlState: string | undefined;
  /** The connection failed or broke, so whether the statement took effect is unknown; trying again may help. */
  readonly connectionLost: boolean;

  constructor(message: string, fault: SqlFault, cause?: unknown) {
    super('engine_sql', message, { cause });
    this.symbol = fault.code;
    this.errno = fault.errno;
    this.sqlState = fault.sqlState;
    this.connectionLost = fault.lost;
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}

function textProperty(value: unknown, name: string): string | undefined {
  const content = property(value, name);
  return typeof content === 'string' && content !== '' ? content : undefined;
}

/** Node gives an AggregateError with an empty message when every address of a name refuses. */
function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.message === '' ? (textProperty(thrown, 'code') ?? thrown.name) : thrown.message;
}

/**
 * MySQL sends these before it closes a session that was killed or idle for too long (ER_SESSION_WAS_KILLED,
 * ER_CLIENT_INTERACTION_TIMEOUT), with the general SQLSTATE.
 */
const sessionEnded: ReadonlySet<unknown> = new Set([3169, 4031]);

/** PostgreSQL's driver has the SQLSTATE in `code`, where the system's errors have names: EPIPE is not one. */
const sqlStateLike = /^(?=.*\d)[0-9A-Z]{5}$/;

/**
 * The drivers put the statement and its parameters on their errors (`sql`), so the error is not kept as a cause.
 * A server's own refusal always carries an SQLSTATE; SQLSTATE class 08 and 57P0x mean that the session is gone.
 */
export function sqlError(server: string, doing: string, thrown: unknown): EngineSqlError {
  const code = textProperty(thrown, 'code');
  const number = property(thrown, 'errno');
  const sqlState = textProperty(thrown, 'sqlState') ?? (sqlStateLike.test(code ?? '') ? code : undefined);
  return new EngineSqlError(`${server}: ${doing}: ${messageOf(thrown)}`, {
    code,
    errno: typeof number === 'number' && number > 0 ? number : undefined,
    sqlState,
    lost: sqlState === undefined || /^(08|57P0)/.test(sqlState) || sessionEnded.has(number),
  });
}

export function deadlineError(server: string, doing: string, milliseconds: number): EngineSqlError {
  return new EngineSqlError(`${server}: ${doing}: no answer within ${String(milliseconds)} ms`, {
    code: 'ETIMEDOUT',
    errno: undefined,
    sqlState: undefined,
    lost: true,
  });
}
