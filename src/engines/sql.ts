/** What statements take and give, the same for both engines. */
export type SqlParameter = string | number | bigint | boolean | null | Uint8Array;
/** Dates, decimals and JSON arrive as the text the server sent; whole numbers beyond 2^53 as their digits. */
export type SqlCell = string | number | boolean | null | Uint8Array;
export type SqlRow = Readonly<Record<string, SqlCell>>;

/** A column as text; null when it is NULL. Throws when the row has no such column. */
export function textOrNull(row: SqlRow, column: string): string | null {
  const cell = row[column];
  if (cell === undefined) throw new TypeError(`the result has no column ${column}`);
  if (cell === null) return null;
  return cell instanceof Uint8Array ? Buffer.from(cell).toString('utf8') : String(cell);
}

/** A column as text; NULL is an error. */
export function textOf(row: SqlRow, column: string): string {
  const text = textOrNull(row, column);
  if (text === null) throw new TypeError(`column ${column} is NULL`);
  return text;
}

/** A column as a finite number. */
export function numberOf(row: SqlRow, column: string): number {
  const text = textOf(row, column);
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) {
    throw new TypeError(`column ${column} is not a number: ${text}`);
  }
  return number;
}

/** Where and as whom to connect. */
export interface SqlAddress {
  readonly hostaddr: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database?: string;
  /** Milliseconds for TCP, TLS and login together; default 2000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for one statement; default 10000. */
  readonly statementTimeoutMs?: number;
}

export interface StatementOptions {
  /** Milliseconds for this statement instead of the connection's default. */
  readonly timeoutMs?: number;
}

export interface Change {
  readonly affectedRows: number;
  /** AUTO_INCREMENT value made by the statement; 0 when none (always 0 on PostgreSQL: use RETURNING). */
  readonly insertId: number;
}

/** One administrative connection, for as long as the callback of `withMysql` or `withPostgres` runs. */
export interface SqlSession {
  /** A prepared statement that gives rows. */
  rows(
    text: string,
    parameters?: readonly SqlParameter[],
    options?: StatementOptions,
  ): Promise<readonly SqlRow[]>;
  /** A prepared statement that changes something. */
  execute(text: string, parameters?: readonly SqlParameter[], options?: StatementOptions): Promise<Change>;
  /** A statement that cannot be prepared or takes no parameters; identifiers in it go through quoteIdentifier. */
  query(text: string, options?: StatementOptions): Promise<readonly SqlRow[]>;
}

export const defaultConnectTimeoutMs = 2000;
export const defaultStatementTimeoutMs = 10_000;
