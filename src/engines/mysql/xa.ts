import { EngineSqlError } from '../sql-error.ts';
import { numberOf, textOf, type SqlSession } from '../sql.ts';
import { quoteText } from './quote.ts';

/** XAER_NOTA: no such branch (any more). */
const unknownBranch = 1397;
/** The format of names that are given as one text. */
const plainFormat = 1;

/** The names of the branches that are prepared and wait to be committed or rolled back. */
export async function preparedBranches(session: Pick<SqlSession, 'query'>): Promise<readonly string[]> {
  const rows = await session.query('XA RECOVER');
  return rows
    .filter((row) => numberOf(row, 'formatID') === plainFormat && numberOf(row, 'bqual_length') === 0)
    .map((row) => textOf(row, 'data'));
}

/** Ends a prepared branch. Nothing happens when somebody else has ended it meanwhile. */
export async function endBranch(
  session: SqlSession,
  name: string,
  decision: 'commit' | 'abort',
): Promise<void> {
  const verb = decision === 'commit' ? 'COMMIT' : 'ROLLBACK';
  try {
    await session.query(`XA ${verb} ${quoteText(name)}`);
  } catch (error) {
    if (!(error instanceof EngineSqlError && error.errno === unknownBranch)) throw error;
  }
}
