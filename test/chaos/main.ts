import { randomInt } from 'node:crypto';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { engineUser } from '../../src/engines/installation.ts';
import { chaos } from './support/chaos-run.ts';
import { whyNot } from './support/possible.ts';
import type { Victim } from './support/step-killer.ts';
import { sweep } from './support/sweep.ts';
import { Timeline } from './support/timeline.ts';

interface Order {
  readonly minutes: number;
  readonly seed: number;
  readonly sweep: boolean;
}

/**
 * `npm run chaos -- [--minutes <number>] [--seed <number>]`: faults in an order that follows from the seed.
 * `npm run chaos -- --sweep`: a job of every type, whose manager dies at every place, then whose agents and engines die.
 */
function options(): Order {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      sweep: { type: 'boolean', default: false },
    },
  });
  const minutes = Number(values.minutes ?? 10);
  const seed = Number(values.seed ?? randomInt(1_000_000));
  if (!(minutes > 0)) throw new TypeError(`--minutes ${String(values.minutes)} is not a positive number`);
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed ${String(values.seed)} is not a whole number`);
  return { minutes, seed, sweep: values.sweep };
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<void> {
  const order = options();
  const impossible = order.sweep ? null : await whyNot();
  if (impossible !== null) throw new TypeError(impossible);
  if (order.sweep) {
    for (const victim of ['manager', 'agent', 'engine'] as const) {
      await inDirectory((directory) => sweepAll(directory, victim, order.seed));
    }
  } else await inDirectory((directory) => faultsFor(directory, order));
}

async function sweepAll(directory: string, victim: 'manager' | Victim, seed: number): Promise<void> {
  say(`sweep: killing ${victim}s, seed ${String(seed)}`);
  const options = { directory, network: '127.0.46', victim, oneIn: 1, seed, note: say };
  const { kills, jobs } = await sweep(options);
  say(`sweep: ${String(jobs.length)} jobs, ${String(kills)} ${victim}s killed, nothing left`);
}

async function faultsFor(directory: string, { minutes, seed }: Order): Promise<void> {
  say(`chaos: seed ${String(seed)}, ${String(minutes)} minutes of faults`);
  const timeline = new Timeline(say);
  const result = await chaos({ seed, milliseconds: minutes * 60_000, directory, timeline });
  for (const text of result.broken) say(`BROKEN: ${text}`);
  say(
    `chaos: seed ${String(seed)}: ${String(result.faults)} faults, ${String(result.acknowledged)} acknowledged writes, ` +
      `${String(result.rounds)} looks, ${String(result.broken.length)} rules broken`,
  );
  if (result.broken.length > 0) process.exitCode = 1;
}

/** A directory that engines can use, for as long as the work takes. */
async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const { uid, gid } = await engineUser();
  const directory = await mkdtemp(join(tmpdir(), 'kluster-chaos-'));
  await chmod(directory, 0o755);
  await chown(directory, uid, gid);
  try {
    await work(directory);
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
