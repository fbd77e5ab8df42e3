import { randomInt } from 'node:crypto';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { engineUser } from '../../src/engines/installation.ts';
import { chaos } from './support/chaos-run.ts';
import { missionCases } from './support/mission-cases.ts';
import { chosen, tally } from './support/deck.ts';
import { faults } from './support/faults.ts';
import { whyNot } from './support/possible.ts';
import { sweepInLanes } from './support/lanes.ts';
import { everyAttempt, victims, ways, type Victim, type Way } from './support/attempt.ts';
import { Timeline } from './support/timeline.ts';

/** Each has ports of its own, of which there are so many. */
const mostAtOnce = 6;

interface Order {
  /** Null: ten of faults, or as many as the sweep takes. */
  readonly minutes: number | null;
  readonly seed: number;
  /** Of faults; none: all. */
  readonly words: readonly string[];
  readonly sweep: boolean;
  readonly victims: readonly Victim[];
  readonly ways: readonly Way[];
  /** Null: all. */
  readonly jobs: ReadonlySet<string> | null;
  /** Of the fault points, one in so many. */
  readonly oneIn: number;
  /** Installations that a sweep uses at the same time. */
  readonly atOnce: number;
  /** Null: logs go with everything else. */
  readonly logs: string | null;
}

/**
 * `npm run chaos -- [--minutes <number>] [--seed <number>] [--faults <words>]`: faults in an order that follows from the seed;
 * with words (`disk,clock`) only those that have one of them in their names.
 * `npm run chaos -- --sweep [--victims manager,agent,engine,metadata] [--ways undone,done]
 * [--jobs <job types, or names of cases>] [--one-in <number>] [--at-once <number>] [--minutes <number>]
 * [--logs <directory>]`: jobs of every type, left to end and made to fail, while the manager dies at every fault point, or
 * every so many; then agents, engines, the metadata server. Nothing new begins after so many minutes; logs of
 * installations in which something went wrong are kept in the directory.
 */
function options(): Order {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      faults: { type: 'string' },
      sweep: { type: 'boolean', default: false },
      victims: { type: 'string', default: victims.join(',') },
      ways: { type: 'string', default: ways.join(',') },
      jobs: { type: 'string' },
      'one-in': { type: 'string', default: '1' },
      'at-once': { type: 'string', default: '1' },
      logs: { type: 'string' },
    },
  });
  const seed = Number(values.seed ?? randomInt(1_000_000));
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed ${String(values.seed)} is not a whole number`);
  return {
    minutes: values.minutes === undefined ? null : positive('minutes', values.minutes),
    seed,
    words: chosenWords(values.faults),
    sweep: values.sweep,
    victims: values.victims.split(',').map((text) => oneOf('victims', victims, text)),
    ways: values.ways.split(',').map((text) => oneOf('ways', ways, text)),
    jobs: values.jobs === undefined ? null : namesOf(values.jobs),
    oneIn: count('one-in', values['one-in']),
    atOnce: Math.min(count('at-once', values['at-once']), mostAtOnce),
    logs: values.logs ?? null,
  };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new TypeError(`--${option} ${text} is not a positive number`);
  return number;
}

function count(option: string, text: string): number {
  const number = positive(option, text);
  if (!Number.isSafeInteger(number)) throw new TypeError(`--${option} ${text} is not a whole number`);
  return number;
}

function namesOf(text: string): ReadonlySet<string> {
  const names = text.split(',');
  const known = new Set(missionCases.flatMap(({ name, jobType }) => [name, jobType]));
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) throw new TypeError(`--jobs ${unknown} is none of ${[...known].join(', ')}`);
  return new Set(names);
}

function oneOf<Name extends string>(option: string, names: readonly Name[], text: string): Name {
  const found = names.find((one) => one === text);
  if (found === undefined) throw new TypeError(`--${option} ${text} is none of ${names.join(', ')}`);
  return found;
}

function chosenWords(text: string | undefined): readonly string[] {
  const words = text?.split(',').map((word) => word.trim()) ?? [];
  chosen(Object.keys(faults), words);
  return words;
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
  const { seed, atOnce, minutes, logs } = order;
  const attempts = order.victims
    .flatMap((victim) => everyAttempt(victim, order.jobs, order.oneIn))
    .filter(({ way }) => order.ways.includes(way));
  const budgetMs = minutes === null ? Infinity : minutes * 60_000;
  const { begun, kills, failures } = await sweepInLanes({
    directory,
    atOnce,
    attempts,
    seed,
    budgetMs,
    note: say,
    ...(logs === null ? {} : { logs }),
  });
  say(
    `sweep: ${String(begun)} of ${String(attempts.length)} attempts, ${String(kills)} kills, ` +
      `${String(failures.length)} failures`,
  );
  if (failures.length > 0) process.exitCode = 1;
}

async function faultsFor(directory: string, order: Order): Promise<void> {
  const { seed, words } = order;
  const minutes = order.minutes ?? 10;
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
