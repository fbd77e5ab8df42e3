import { DatabaseError, type Client } from 'pg';

/** What a statement did, as a client sees it. Values are PostgreSQL's own text. */
export interface Outcome {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly (readonly (string | null)[])[];
  /** SQLSTATE, when it failed; nothing else counts then. */
  readonly error?: string;
  readonly message?: string;
  /** What applications read of a row that was refused: the words, and the names of what it violates. */
  readonly violation?: readonly (string | undefined)[];
}

const asText = { getTypeParser: () => (value: unknown) => value };

const sqlState = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'no SQLSTATE';

const integrityClass = '23';
const uniqueViolation = '23505';
const tooLargeNumber = '22003';

function violationOf(error: unknown): readonly (string | undefined)[] | undefined {
  if (!(error instanceof DatabaseError)) return undefined;
  const { code, message, detail, schema, table, column, constraint } = error;
  if (code?.startsWith(integrityClass) !== true && code !== tooLargeNumber) return undefined;
  return [message, code === uniqueViolation ? detail : '', schema, table, column, constraint];
}

/** A generated statement, and whether its rows have an order. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly (string | number | null)[];
  readonly ordered?: boolean;
}

export async function outcomeOf(session: Client, statement: Statement): Promise<Outcome> {
  try {
    const { text, values } = statement;
    const result = await session.query({
      text,
      ...(values === undefined ? {} : { values: [...values] }),
      rowMode: 'array',
      types: asText,
    });
    const rows = result.rows as (string | null)[][];
    return {
      command: result.command,
      rowCount: result.rowCount,
      rows: statement.ordered === true ? rows : rows.toSorted(byText),
    };
  } catch (error) {
    return {
      command: 'failed',
      rowCount: null,
      rows: [],
      error: sqlState(error),
      message: error instanceof Error ? error.message : String(error),
      violation: violationOf(error) ?? [],
    };
  }
}

function byText(left: readonly (string | null)[], right: readonly (string | null)[]): number {
  const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
  return a < b ? -1 : Number(a > b);
}

/** Where the outcomes differ; undefined when they are the same. Two failures are the same when SQLSTATE and violation are. */
export function difference(statement: Statement, compute: Outcome, plain: Outcome): string | undefined {
  const comparable = ({ command, rowCount, rows, error, violation }: Outcome): string =>
    JSON.stringify([command, rowCount, rows, error, violation]);
  if (comparable(compute) === comparable(plain)) return undefined;
  const shown = (outcome: Outcome): string => {
    if (outcome.error !== undefined)
      return `${outcome.error} ${outcome.message ?? ''} ${JSON.stringify(outcome.violation)}`;
    return `${outcome.command} ${String(outcome.rowCount)} ${JSON.stringify(outcome.rows).slice(0, 600)}`;
  };
  const values = statement.values === undefined ? '' : ` -- ${JSON.stringify(statement.values)}`;
  return `${statement.text}${values}\n  compute node: ${shown(compute)}\n  PostgreSQL:   ${shown(plain)}`;
}
