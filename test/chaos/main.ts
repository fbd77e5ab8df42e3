import { randomInt } from 'node:crypto';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { engineUser } from '../../src/engines/installation.ts';
import { chaos } from './support/chaos-run.ts';
import { whyNot } from './support/possible.ts';
import { Timeline } from './support/timeline.ts';

/** `npm run chaos -- [--minutes <number>] [--seed <number>]`: faults in an order that follows from the seed. */
function options(): { readonly minutes: number; readonly seed: number } {
  const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } });
  const minutes = Number(values.minutes ?? 10);
  const seed = Number(values.seed ?? randomInt(1_000_000));
  if (!(minutes > 0)) throw new TypeError(`--minutes ${String(values.minutes)} is not a positive number`);
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed ${String(values.seed)} is not a whole number`);
  return { minutes, seed };
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<void> {
  const { minutes, seed } = options();
  const impossible = await whyNot();
  if (impossible !== null) throw new TypeError(impossible);
  say(`chaos: seed ${String(seed)}, ${String(minutes)} minutes of faults`);
  const { uid, gid } = await engineUser();
  const directory = await mkdtemp(join(tmpdir(), 'kluster-chaos-'));
  await chmod(directory, 0o755);
  await chown(directory, uid, gid);
  try {
    const timeline = new Timeline(say);
    const result = await chaos({ seed, milliseconds: minutes * 60_000, directory, timeline });
    for (const text of result.broken) say(`BROKEN: ${text}`);
    say(
      `chaos: seed ${String(seed)}: ${String(result.faults)} faults, ${String(result.acknowledged)} acknowledged writes, ` +
        `${String(result.rounds)} looks, ${String(result.broken.length)} rules broken`,
    );
    if (result.broken.length > 0) process.exitCode = 1;
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
