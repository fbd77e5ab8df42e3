import type { ErrorName } from '../core/errors/catalogue.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import type { RetryPolicy } from './plan.ts';

/** For steps that name no policy: three attempts in all, for faults that `isPassingFault` accepts. */
export const defaultRetry: RetryPolicy = { attempts: 3, firstDelayMs: 300, maximumDelayMs: 5_000 };

/**
 * For steps past the point of no return, where giving up leaves work half done: any error is repeated. The delays
 * add up to seven to nine minutes: long enough for a restarted machine or a failover, short enough to be told.
 */
export const forwardOnlyRetry: RetryPolicy = {
  attempts: 30,
  firstDelayMs: 500,
  maximumDelayMs: 30_000,
  isPassing: () => true,
};

/**
 * For undoing a step that has this policy: who is away is waited for longer than on the way forward, where giving up only
 * means that the job is undone. The delays add up to one or two minutes, enough for an agent or an engine that is restarted.
 */
export function undoRetry(own: RetryPolicy): RetryPolicy {
  const isPassing = (error: unknown, attempts: number) =>
    own.isPassing?.(error, attempts) ?? isPassingFault(error);
  return {
    attempts: 20,
    firstDelayMs: 300,
    maximumDelayMs: 10_000,
    isPassing: (error, attempts) =>
      isAbsence(error) || (attempts < own.attempts && isPassing(error, attempts)),
  };
}

/** A manager that starts waits for a metadata server that is busy, as after a start of the whole machine. */
export const startRetry: RetryPolicy = { attempts: 8, firstDelayMs: 300, maximumDelayMs: 5_000 };

const passingKinds: ReadonlySet<ErrorName> = new Set([
  'agent_unreachable',
  'agent_no_answer',
  'metadata',
  'step_deadline',
] as const);

const absenceKinds: ReadonlySet<ErrorName> = new Set(['agent_unreachable', 'metadata'] as const);

/** ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK. */
const passingMysqlErrors: ReadonlySet<number> = new Set([1040, 1053, 1205, 1213]);
/** Of PostgreSQL (appendix A of its manual): serialization_failure, deadlock_detected, too_many_connections. */
const passingSqlStates: ReadonlySet<string> = new Set(['40001', '40P01', '53300']);

function isPassingSql(error: EngineSqlError): boolean {
  return (
    error.connectionLost ||
    (error.errno !== undefined && passingMysqlErrors.has(error.errno)) ||
    (error.sqlState !== undefined && passingSqlStates.has(error.sqlState))
  );
}

/** Causes nest a few levels at most; the bound keeps a cyclic chain from hanging the engine. */
const maximumCauses = 10;

/**
 * Whether the same call may well succeed a little later: an agent or the metadata database that does not answer, a
 * step that ran into its deadline, a database server that lost the connection, is full of connections, or rolled a
 * transaction back in favour of another. An error that wraps such a fault passes with it.
 */
export function isPassingFault(error: unknown): boolean {
  return causesOf(error).some(
    (cause) =>
      (cause instanceof EngineSqlError && isPassingSql(cause)) ||
      (cause instanceof KlusterError && passingKinds.has(cause.kind)),
  );
}

/** Whether whoever was asked is not there: told within seconds, unlike what a deadline says. */
function isAbsence(error: unknown): boolean {
  return causesOf(error).some(
    (cause) =>
      (cause instanceof EngineSqlError && cause.connectionLost) ||
      (cause instanceof KlusterError && absenceKinds.has(cause.kind)),
  );
}

function causesOf(error: unknown): readonly unknown[] {
  const causes: unknown[] = [];
  let cause = error;
  while (causes.length < maximumCauses && cause instanceof Error) {
    causes.push(cause);
    cause = cause.cause;
  }
  return causes;
}

/** Milliseconds to wait after failed attempt `attempt` (1, 2, …): doubling, bounded, the upper half at random. */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const exponent = Math.min(attempt - 1, 30);
  const full = Math.min(policy.maximumDelayMs, policy.firstDelayMs * 2 ** exponent);
  return full * (0.5 + random() / 2);
}
