import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { currentPage, pages } from '../../../scripts/docs/pages.ts';
import { errorCatalogue } from '../../../src/core/errors/catalogue.ts';
import { immediateJobs, missions } from '../../../src/manager/job-types.ts';

const page = (path: string): Promise<string> =>
  readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe('generated pages', () => {
  it.each(pages.map((generated) => [generated.path, generated] as const))(
    '%s is what `npm run docs` makes of the sources',
    async (path, generated) => {
      const text = await page(path);
      expect(await currentPage(generated, text)).toBe(text);
    },
  );

  it('every job type and every error has its place', async () => {
    const api = await page('docs/api.md');
    for (const { jobType } of [...missions, ...immediateJobs]) expect(api).toContain(`### ${jobType}\n`);
    const errors = await page('docs/errors.md');
    for (const kind of Object.keys(errorCatalogue)) expect(errors).toContain(`\`${kind}\``);
  });
});
