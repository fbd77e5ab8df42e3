import { numberOf, textOf, type SqlSession } from '../sql.ts';

/** An entry of the log of definitions that a compute node cannot apply; nothing after it is applied either. */
export interface FailingDefinition {
  readonly id: number;
  readonly database: string;
  readonly error: string;
  readonly attempts: number;
}

/** As the compute node says; `null` also when its extension is of a version that does not say. */
export async function readFailingDefinition(session: SqlSession): Promise<FailingDefinition | null> {
  const [known] = await session.rows("SELECT to_regprocedure('kluster.ddl_failure()') IS NOT NULL AS known");
  if (known?.['known'] !== true) return null;
  const [row] = await session.rows(
    'SELECT op_id::float8 AS id, database, error, attempts FROM kluster.ddl_failure()',
  );
  if (row === undefined) return null;
  return {
    id: numberOf(row, 'id'),
    database: textOf(row, 'database'),
    error: textOf(row, 'error'),
    attempts: numberOf(row, 'attempts'),
  };
}
