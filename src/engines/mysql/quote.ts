/**
 * A MySQL identifier between backticks, the one way in which a name becomes part of a statement. The server allows 64
 * characters and no NUL (manual, "Schema Object Names").
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.length > 64 || name.includes('\0')) {
    throw new RangeError(`not a MySQL identifier: ${JSON.stringify(name)}`);
  }
  return `\`${name.replaceAll('`', '``')}\``;
}

/**
 * Text as a string literal, for the statements that take no parameters (CHANGE REPLICATION SOURCE TO and the like).
 * Holds for an sql_mode without NO_BACKSLASH_ESCAPES (manual, "String Literals").
 */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new RangeError('text with a NUL character cannot be sent to MySQL');
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
