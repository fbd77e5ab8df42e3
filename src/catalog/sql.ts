import type { SqlParameter, SqlRow } from '../engines/sql.ts';

export { numberOf, textOf, textOrNull, type SqlRow } from '../engines/sql.ts';

/** A bound parameter; a Date is sent as UTC with milliseconds. */
export type SqlValue = SqlParameter | Date;

export interface SqlChange {
  /** AUTO_INCREMENT value made by the statement; 0 when none. */
  readonly insertId: number;
  /** Rows that the statement found, also when an UPDATE sets what is already there. */
  readonly affectedRows: number;
}

/** Prepared statements inside one transaction. Fails with MetadataError. */
export interface Sql {
  /** Rows, each parsed at once into what the caller knows it to be. */
  rows<T>(text: string, parameters: readonly SqlValue[], parse: (row: SqlRow) => T): Promise<readonly T[]>;
  execute(text: string, parameters?: readonly SqlValue[]): Promise<SqlChange>;
}

/** The first row, or undefined when there is none. */
export async function firstRow<T>(
  sql: Sql,
  text: string,
  parameters: readonly SqlValue[],
  parse: (row: SqlRow) => T,
): Promise<T | undefined> {
  const [row] = await sql.rows(text, parameters, parse);
  return row;
}

/** A subquery that gives the ids of its one parameter, `JSON.stringify(ids)`: `WHERE id IN ${givenIds}`. */
export const givenIds = `(SELECT given.id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS given)`;

/** UTC in MySQL's notation; sessions of the catalog run with time_zone '+00:00'. */
export function timestampText(date: Date): string {
  return date.toISOString().replace('T', ' ').replace('Z', '');
}
