import { format } from 'prettier';
import { errorTable } from './error-table.ts';
import { jobTypeTables } from './job-type-tables.ts';

export interface GeneratedPage {
  /** Relative to the root of the repository. */
  readonly path: string;
  /** What stands between the markers. */
  readonly content: () => string;
}

/** Pages with a part that is made from the sources; the rest of them is written by hand. */
export const pages: readonly GeneratedPage[] = [
  { path: 'docs/api.md', content: jobTypeTables },
  { path: 'docs/errors.md', content: errorTable },
];

const begin = '<!-- made by `npm run docs`; changes are lost -->';
const end = '<!-- end of what is made -->';

/** The page with its generated part as the sources are now. */
export async function currentPage(page: GeneratedPage, text: string): Promise<string> {
  const first = text.indexOf(begin);
  const last = text.indexOf(end);
  if (first === -1 || last < first) throw new Error(`${page.path} lacks the lines ${begin} and ${end}`);
  const filled = `${text.slice(0, first)}${begin}\n\n${page.content()}\n\n${text.slice(last)}`;
  return format(filled, { parser: 'markdown', printWidth: 110, singleQuote: true, trailingComma: 'all' });
}
