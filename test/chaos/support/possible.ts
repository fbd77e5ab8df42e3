import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorText } from '../../../src/core/errors/kluster-error.ts';

const run = promisify(execFile);

/** Why this user on this machine cannot have namespaces and mounts; null when it can. */
export async function whyNot(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'only root may make network namespaces';
  try {
    await run('unshare', ['--net', '--mount', 'ip', 'rule', 'add', 'to', '10.77.0.11', 'blackhole']);
    return null;
  } catch (error) {
    return `this machine has no network namespaces with routing rules: ${errorText(error)}`;
  }
}
