import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { engineUser } from '../../../src/engines/installation.ts';
import { TemplateStore } from '../../../src/engines/template.ts';
import { scratchDirectory } from '../../support/scratch.ts';

async function countingTemplate(fail: { next: boolean } = { next: false }) {
  const made: string[] = [];
  const template = {
    name: 'engine-1',
    async build(directory: string): Promise<void> {
      made.push(directory);
      await writeFile(join(directory, 'file'), 'content');
      await new Promise((later) => setTimeout(later, 50));
      if (fail.next) throw new Error('the disk is full');
    },
  };
  return { made, template, root: await scratchDirectory() };
}

test('several that need a template at once, also through other stores, wait for one making', async () => {
  const { made, template, root } = await countingTemplate();
  const user = await engineUser();
  const stores = [new TemplateStore(root, user), new TemplateStore(root, user)];
  const directories = await Promise.all([...stores, ...stores].map((store) => store.directory(template)));
  expect(new Set(directories).size).toBe(1);
  expect(made).toHaveLength(1);
  expect(await readFile(join(directories[0] ?? '', 'file'), 'utf8')).toBe('content');
});

test('a making that fails is not used: the next one starts anew', async () => {
  const fail = { next: true };
  const { made, template, root } = await countingTemplate(fail);
  const store = new TemplateStore(root, await engineUser());
  await expect(store.directory(template)).rejects.toThrow('the disk is full');
  expect(await readdir(join(root, 'engine-1'))).toEqual([]);
  fail.next = false;
  await store.directory(template);
  expect(made).toHaveLength(2);
});
