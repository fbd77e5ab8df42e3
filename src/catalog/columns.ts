import { textOf, textOrNull, type SqlRow } from './sql.ts';

/** Columns of the catalog's rows as what they mean. Each throws TypeError when the column holds something else. */

/** TIMESTAMP as the server sends it in a UTC session. */
export function dateOf(row: SqlRow, column: string): Date {
  const date = new Date(`${textOf(row, column).replace(' ', 'T')}Z`);
  if (Number.isNaN(date.getTime()))
    throw new TypeError(`column ${column} is not a date: ${textOf(row, column)}`);
  return date;
}

/** ENUM, or text with a fixed set of values. */
export function oneOf<Value extends string>(row: SqlRow, column: string, values: readonly Value[]): Value {
  const text = textOf(row, column);
  const value = values.find((candidate) => candidate === text);
  if (value === undefined) throw new TypeError(`column ${column} is none of ${values.join(', ')}: ${text}`);
  return value;
}

/** The public notation of lists: `a,b,c`; NULL and empty text are the empty list. */
export function listOf(row: SqlRow, column: string): readonly string[] {
  return (textOrNull(row, column) ?? '').split(',').filter((item) => item !== '');
}
