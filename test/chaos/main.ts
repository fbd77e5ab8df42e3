import { randomInt } from 'node:crypto';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { engineUser } from '../../src/engines/installation.ts';
import { chaos } from './support/chaos-run.ts';
import { chosen, tally } from './support/deck.ts';
import { faults } from './support/faults.ts';
import { whyNot } from './support/possible.ts';
import { everyAttempt, sweep, victims, type Victim } from './support/sweep.ts';
import { Timeline } from './support/timeline.ts';

interface Order {
  readonly minutes: number;
  readonly seed: number;
  /** Of faults; none: all. */
  readonly words: readonly string[];
  readonly sweep: boolean;
  readonly victims: readonly Victim[];
  /** Null: all. */
  readonly jobTypes: ReadonlySet<string> | null;
  /** Of the fault points, one in so many. */
  readonly oneIn: number;
}

/**
 * `npm run chaos -- [--minutes <number>] [--seed <number>] [--faults <words>]`: faults in an order that follows from the seed;
 * with words (`disk,clock`) only those that have one of them in their names.
 * `npm run chaos -- --sweep [--victims manager,agent,engine,metadata] [--jobs <job types>] [--one-in <number>]`: jobs of
 * every type, left to end and made to fail, while the manager dies at every fault point, or every so many; then agents,
 * engines, the metadata server.
 */
function options(): Order {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      faults: { type: 'string' },
      sweep: { type: 'boolean', default: false },
      victims: { type: 'string', default: victims.join(',') },
      jobs: { type: 'string' },
      'one-in': { type: 'string', default: '1' },
    },
  });
  const minutes = Number(values.minutes ?? 10);
  const seed = Number(values.seed ?? randomInt(1_000_000));
  if (!(minutes > 0)) throw new TypeError(`--minutes ${String(values.minutes)} is not a positive number`);
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed ${String(values.seed)} is not a whole number`);
  const oneIn = Number(values['one-in']);
  if (!(Number.isSafeInteger(oneIn) && oneIn > 0))
    throw new TypeError(`--one-in ${values['one-in']} is not a positive number`);
  const jobTypes = values.jobs === undefined ? null : new Set(values.jobs.split(','));
  return {
    minutes,
    seed,
    words: chosenWords(values.faults),
    sweep: values.sweep,
    victims: values.victims.split(',').map(victimOf),
    jobTypes,
    oneIn,
  };
}

function chosenWords(text: string | undefined): readonly string[] {
  const words = text?.split(',').map((word) => word.trim()) ?? [];
  chosen(Object.keys(faults), words);
  return words;
}

function victimOf(text: string): Victim {
  const victim = victims.find((one) => one === text);
  if (victim === undefined) throw new TypeError(`--victims ${text} is none of ${victims.join(', ')}`);
  return victim;
}

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<void> {
  const order = options();
  const impossible = order.sweep ? null : await whyNot();
  if (impossible !== null) throw new TypeError(impossible);
  if (order.sweep) await inDirectory((directory) => sweepAll(directory, order));
  else await inDirectory((directory) => faultsFor(directory, order));
}

async function sweepAll(directory: string, order: Order): Promise<void> {
  say(`sweep: killing ${order.victims.join(', ')}; seed ${String(order.seed)}`);
  const attempts = order.victims.flatMap((victim) => everyAttempt(victim, order.jobTypes, order.oneIn));
  const options = { directory, network: '127.0.46', attempts, seed: order.seed, note: say };
  const { kills, failures } = await sweep(options);
  say(`sweep: ${String(attempts.length)} jobs, ${String(kills)} kills, ${String(failures.length)} failures`);
  if (failures.length > 0) process.exitCode = 1;
}

async function faultsFor(directory: string, { minutes, seed, words }: Order): Promise<void> {
  say(`chaos: seed ${String(seed)}, ${String(minutes)} minutes of faults`);
  const timeline = new Timeline(say);
  const result = await chaos({ seed, milliseconds: minutes * 60_000, directory, timeline, words });
  for (const line of tally(result.faults)) say(line);
  for (const text of result.broken) say(`BROKEN: ${text}`);
  say(
    `chaos: seed ${String(seed)}: ${String(sum(result.faults))} faults, ${String(result.acknowledged)} acknowledged writes, ` +
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
