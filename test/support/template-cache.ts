import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { engineUser } from '../../src/engines/installation.ts';

/** Data-directory templates of the agents of all test files; kept between runs, beside what one run has to itself. */
export async function templateCache(): Promise<string> {
  const { uid } = await engineUser();
  const directory = join('/tmp', `kluster-templates-${String(uid)}`);
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  return directory;
}
