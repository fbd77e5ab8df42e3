import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Home } from '../../src/manager/home.ts';
import { templateCache } from '../../test/support/template-cache.ts';

/** One host needs its data-directory templates only once, however many homes it has; they are kept between runs. */
export async function shareTemplates(home: Home): Promise<void> {
  await symlink(await templateCache(), join(home.agentDirectory, 'templates'));
}
