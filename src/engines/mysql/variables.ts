import { KlusterError } from '../../core/errors/kluster-error.ts';
import { EngineSqlError } from '../sql-error.ts';
import { numberOf, textOf, textOrNull, type SqlSession } from '../sql.ts';
import { quoteIdentifier } from './quote.ts';

export interface VariableChange {
  readonly value: string;
  /** Absent: a number when the variable's present value is one. */
  readonly valueType: 'number' | 'text' | undefined;
}

const wholeNumber = /^-?\d{1,20}$/;
const decimalNumber = /^-?\d{1,20}\.\d{1,10}$/;

/**
 * Sets a global variable now and for later starts. Throws `variable_write` when there is none of this name, and
 * EngineSqlError with the server's reason when it refuses.
 */
export async function persistVariable(
  session: SqlSession,
  name: string,
  change: VariableChange,
): Promise<void> {
  await setVariable(session, 'PERSIST', name, change);
}

/**
 * As `persistVariable`; a variable that cannot be changed while the server runs is set for its next start. Tells whether
 * that is needed.
 */
export async function persistWhenever(
  session: SqlSession,
  name: string,
  change: VariableChange,
): Promise<'in_force' | 'at_next_start'> {
  try {
    await setVariable(session, 'PERSIST', name, change);
    return 'in_force';
  } catch (error) {
    if (!isReadOnlyVariable(error)) throw error;
  }
  await setVariable(session, 'PERSIST_ONLY', name, change);
  return 'at_next_start';
}

/** ER_INCORRECT_GLOBAL_LOCAL_VAR: the variable is fixed while the server runs. */
const isReadOnlyVariable = (error: unknown): boolean =>
  error instanceof EngineSqlError && error.errno === 1238;

/** Whether a change of the variable needs a restart: setting it to what it is changes nothing, and tells. */
export async function needsRestart(session: SqlSession, name: string): Promise<boolean> {
  const { found } = await globalVariable(session, name);
  const quoted = componentName(found);
  try {
    await session.query(`SET GLOBAL ${quoted} = @@GLOBAL.${quoted}`);
    return false;
  } catch (error) {
    if (isReadOnlyVariable(error)) return true;
    // Refused for another reason, such as its value: then it is at least one that can be set.
    if (error instanceof EngineSqlError && !error.connectionLost) return false;
    throw error;
  }
}

/** What was set for later starts, by name. */
export async function persistedVariables(session: SqlSession): Promise<ReadonlyMap<string, string>> {
  const rows = await session.rows(
    'SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.persisted_variables',
  );
  return new Map(rows.map((row) => [textOf(row, 'name').toLowerCase(), textOrNull(row, 'value') ?? '']));
}

/** Later starts have the server's own value again. */
async function unpersistVariable(session: SqlSession, name: string): Promise<void> {
  await session.query(`RESET PERSIST IF EXISTS ${componentName(name)}`);
}

/** @throws KlusterError variable_write when there is none of this name */
export async function globalVariable(
  session: SqlSession,
  name: string,
): Promise<{ readonly found: string; readonly value: string }> {
  const [row] = await session.rows(
    'SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE VARIABLE_NAME = ?',
    [name],
  );
  if (row === undefined)
    throw new KlusterError('variable_write', 'the server has no global variable of this name');
  return { found: textOrNull(row, 'name') ?? name, value: textOrNull(row, 'value') ?? '' };
}

async function setVariable(
  session: SqlSession,
  scope: 'PERSIST' | 'PERSIST_ONLY' | 'GLOBAL',
  name: string,
  { value, valueType }: VariableChange,
): Promise<void> {
  const present = await globalVariable(session, name);
  const numeric = valueType === 'number' || (valueType === undefined && isNumber(present.value));
  await session.execute(`SET ${scope} ${componentName(present.found)} = ${placeholder(value, numeric)}`, [
    value,
  ]);
}

/** Takes back what `persistWhenever` did: `persisted` and `value` are those from before. */
export async function restoreVariable(
  session: SqlSession,
  name: string,
  before: { readonly persisted: string | null; readonly value: string },
): Promise<void> {
  if (before.persisted !== null) {
    await persistWhenever(session, name, { value: before.persisted, valueType: undefined });
    return;
  }
  await unpersistVariable(session, name);
  try {
    await setVariable(session, 'GLOBAL', name, { value: before.value, valueType: undefined });
  } catch (error) {
    if (!isReadOnlyVariable(error)) throw error;
  }
}

function isNumber(text: string): boolean {
  return wholeNumber.test(text) || decimalNumber.test(text);
}

/** Parameters arrive as text, which variables of a numeric type do not take. */
function placeholder(value: string, numeric: boolean): string {
  if (!numeric) return '?';
  if (wholeNumber.test(value)) return value.startsWith('-') ? 'CAST(? AS SIGNED)' : 'CAST(? AS UNSIGNED)';
  return decimalNumber.test(value) ? 'CAST(? AS DECIMAL(30, 10))' : '?';
}

/** Variables of components and named key caches have two parts: `validate_password.length`. */
function componentName(name: string): string {
  return name.split('.').map(quoteIdentifier).join('.');
}

/** Makes a numeric global variable at least so large, now and for later starts. */
export async function raiseVariable(session: SqlSession, name: string, least: number): Promise<void> {
  const quoted = quoteIdentifier(name);
  const [row] = await session.query(`SELECT @@GLOBAL.${quoted} AS value`);
  if (row === undefined || numberOf(row, 'value') >= least) return;
  await session.query(`SET PERSIST ${quoted} = ${String(Math.ceil(least))}`);
}
