import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../../src/catalog/package-root.ts';

/** Two files run at a time: their installations would meet on the same addresses. */
it('every file of integration tests has a network of its own', async () => {
  const directory = join(packageRoot(), 'test', 'integration');
  const files = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.test.ts'));
  const users = new Map<string, string[]>();
  for (const file of files) {
    const text = await readFile(join(directory, file), 'utf8');
    for (const [, network = ''] of text.matchAll(/network(?::| =) '([0-9.]+)'/g)) {
      users.set(network, [...(users.get(network) ?? []), file]);
    }
  }
  expect(users.size).toBeGreaterThan(10);
  expect([...users].filter(([, names]) => names.length > 1)).toEqual([]);
});
