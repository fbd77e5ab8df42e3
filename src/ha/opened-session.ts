import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { SqlSession } from '../engines/sql.ts';

/** A session that a switchover cannot do without. @throws KlusterError switchover_refused */
export function sessionOf(outcome: PromiseSettledResult<SqlSession> | undefined): SqlSession {
  if (outcome?.status === 'fulfilled') return outcome.value;
  throw new KlusterError(
    'switchover_refused',
    `a node cannot be connected to: ${outcome === undefined ? 'no session' : errorText(outcome.reason)}`,
    { code: 70_021, cause: outcome?.reason },
  );
}
