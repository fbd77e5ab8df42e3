import { KlusterError } from '../../core/errors/kluster-error.ts';
import { numberOf, textOrNull, type SqlSession } from '../sql.ts';
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
  const [row] = await session.rows(
    'SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE VARIABLE_NAME = ?',
    [name],
  );
  if (row === undefined)
    throw new KlusterError('variable_write', 'the server has no global variable of this name');
  const found = textOrNull(row, 'name') ?? name;
  const { value, valueType } = change;
  const numeric =
    valueType === 'number' || (valueType === undefined && isNumber(textOrNull(row, 'value') ?? ''));
  await session.execute(`SET PERSIST ${componentName(found)} = ${placeholder(value, numeric)}`, [value]);
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
