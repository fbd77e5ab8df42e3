import { join } from 'node:path';
import type { Home } from '../../manager/home.ts';

/** Held by the `kluster up` or `kluster down` that works on a home. */
export function upPidFile(home: Home): string {
  return join(home.runDirectory, 'command.pid');
}
