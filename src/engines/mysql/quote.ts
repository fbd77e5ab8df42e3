/**
 * The one place where names and texts become parts of MySQL statements, for statements that take no parameters
 * (CREATE USER, GRANT, SET PERSIST …). Everything else uses parameters.
 */

/** A name in backticks (manual, "Schema Object Names"): any character but NUL, at most 64 of them. */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.length > 64 || name.includes('\0')) {
    throw new RangeError(`not a MySQL identifier: ${JSON.stringify(name)}`);
  }
  return `\`${name.replaceAll('`', '``')}\``;
}

const escapes: Readonly<Record<string, string>> = {
  '\0': String.raw`\0`,
  '\b': String.raw`\b`,
  '\t': String.raw`\t`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\x1a': String.raw`\Z`,
  "'": String.raw`\'`,
  '\\': '\\\\',
};

/** A text in quotes (manual, "String Literals"); for sessions without the SQL mode NO_BACKSLASH_ESCAPES. */
export function quoteText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters that need escaping
  return `'${text.replaceAll(/[\0\b\t\n\r\x1A'\\]/g, (character) => escapes[character] ?? character)}'`;
}

/** `'user'@'host'` */
export function quoteAccount(user: string, host: string): string {
  return `${quoteText(user)}@${quoteText(host)}`;
}
