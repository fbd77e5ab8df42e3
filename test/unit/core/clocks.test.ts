import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../../src/catalog/package-root.ts';

/**
 * Anybody may set the clock of a machine at any moment. What waits, times out or counts as silent is therefore measured with
 * performance.now(), which nobody sets. These name something by the time of day, or compare clocks on purpose.
 */
const byTheTimeOfDay = new Set([
  'agent/authentication.ts',
  'client/agent.ts',
  'core/request-signature.ts',
  'ha/fail-over-log.ts',
  'ha/rebuild-request.ts',
  'ha/set-acknowledgements.ts',
  'http/rest/agents.ts',
  'missions/topology/clone-node.ts',
]);

it('only what has to know the time of day looks at the clock', async () => {
  const root = join(packageRoot(), 'src');
  const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const found: string[] = [];
  for (const file of files) {
    if ((await readFile(join(root, file), 'utf8')).includes('Date.now()')) found.push(file);
  }
  expect(found.toSorted()).toEqual([...byTheTimeOfDay].toSorted());
});
