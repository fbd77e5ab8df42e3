import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { awaitsNothing } from '../../../src/engines/mysql/orderly-end.ts';

/** A data directory in which a server has kept the variable with the value, or nothing. */
async function dataDirectory(value: string | null): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'persisted-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  if (value === null) return directory;
  const variables = {
    sort_buffer_size: { Value: '1', Metadata: {} },
    rpl_semi_sync_source_enabled: { Value: value, Metadata: { Host: 'h' } },
  };
  const text = JSON.stringify({ Version: 2, mysql_dynamic_variables: variables });
  await writeFile(join(directory, 'mysqld-auto.cnf'), text);
  return directory;
}

it.each([
  ['ON', false],
  ['OFF', true],
  [null, true],
])('a server that cannot be asked, with acknowledgements %s, may end in order: %s', async (value, may) => {
  expect(await awaitsNothing(await dataDirectory(value))).toBe(may);
});
