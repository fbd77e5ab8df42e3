import { readFile, writeFile } from 'node:fs/promises';
import { currentPage, pages } from './pages.ts';

for (const page of pages) {
  await writeFile(page.path, await currentPage(page, await readFile(page.path, 'utf8')));
}
