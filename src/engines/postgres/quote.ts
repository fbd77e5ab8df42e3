/**
 * The one place where names and texts become parts of PostgreSQL statements, for statements that take no parameters
 * (CREATE ROLE …). Everything else uses parameters.
 */

/** A name in double quotes (manual 4.1.1); at most 63 bytes, more would be cut off silently. */
export function quoteIdentifier(name: string): string {
  if (name === '' || Buffer.byteLength(name) > 63 || name.includes('\0')) {
    throw new RangeError(`not a PostgreSQL identifier: ${JSON.stringify(name)}`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in quotes (manual 4.1.2); the E form means the same whatever standard_conforming_strings is. */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new RangeError('a PostgreSQL text cannot hold a zero byte');
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
