import { errorCatalogue, type ErrorEntry } from '../../src/core/errors/catalogue.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** The catalogue of errors, by wire code. */
export function errorTable(): string {
  const entries: readonly (readonly [string, ErrorEntry])[] = Object.entries(errorCatalogue);
  const rows = entries
    .toSorted(([, left], [, right]) => left.code - right.code)
    .map(
      ([kind, { code, status, meaning, hint }]) =>
        `| ${String(code)} | \`${kind}\` | ${String(status)} | ${cell(meaning)} | ${cell(hint)} |`,
    );
  return [
    '| error_code | kind | HTTP status | meaning | what to do |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
