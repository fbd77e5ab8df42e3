import { chown, mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { engineUser } from '../src/engines/installation.ts';
import { postgresWithExtension } from '../test/support/compute-engines.ts';
import { Pgbench } from '../test/support/pgbench.ts';
import {
  aggregates,
  bulkInserts,
  commits,
  copies,
  fullScans,
  singleReads,
  singleWrites,
  type Rates,
  type Sizes,
} from './compute/measures.ts';
import { startSubjects, writeRows, type Subjects } from './compute/subjects.ts';
import type { BenchOptions } from './options.ts';
import { median, rounded } from './support/statistics.ts';
import { withWorkspace } from './support/workspace.ts';

/**
 * A compute node beside what an application could use instead: MySQL itself, mysql_fdw, and plain PostgreSQL. Rounds are
 * interleaved, so that whatever else the machine does hits all of them alike.
 */
const defaultRounds = 5;
const port = 25_601;
const measures = {
  bulkInserts,
  copies,
  singleReads,
  singleWrites,
  fullScans,
  aggregates,
  commits,
} as const satisfies Record<string, (subjects: Subjects, sizes: Sizes) => Promise<Rates>>;

/** What is wanted of the compute node: its rate as a multiple of another's, or of the other way to commit. */
const targets = [
  { measure: 'singleReads', rate: 'compute', of: 'mysql', atLeast: 0.6 },
  { measure: 'bulkInserts', rate: 'compute', of: 'mysql', atLeast: 0.5 },
  { measure: 'bulkInserts', rate: 'compute', of: 'mysql_fdw', atLeast: 50 },
  // A transaction that takes at most 2.5 times as long.
  { measure: 'commits', rate: 'twoPhase', of: 'onePhase', atLeast: 0.4 },
] as const;

/** Rates by measure and subject, one for each round. */
type Figures = Map<string, Map<string, number[]>>;

function add(figures: Figures, measure: string, rates: Rates): void {
  const ofMeasure = figures.get(measure) ?? new Map<string, number[]>();
  figures.set(measure, ofMeasure);
  for (const [subject, rate] of Object.entries(rates))
    ofMeasure.set(subject, [...(ofMeasure.get(subject) ?? []), rate]);
}

async function pgbenchRates(subjects: Subjects, seconds: number) {
  const installation = await postgresWithExtension();
  const [compute, postgres] = [subjects.engines.address, subjects.plainServer.address].map(
    (address) => new Pgbench(installation, address),
  );
  if (compute === undefined || postgres === undefined) throw new Error('no server');
  await compute.initialise();
  await postgres.initialise();
  return async (figures: Figures): Promise<void> => {
    const rates = async (args: readonly string[]): Promise<Rates> => ({
      compute: await compute.rate([...args, '-T', String(seconds)]),
      postgres: await postgres.rate([...args, '-T', String(seconds)]),
    });
    add(figures, 'pgbench select-only', await rates(['-S', '-M', 'prepared', '-c', '4']));
    add(figures, 'pgbench TPC-B-like', await rates(['-c', '4']));
  };
}

async function measure(directory: string, options: BenchOptions, figures: Figures): Promise<number> {
  const rounds = options.rounds ?? defaultRounds;
  const [file, plainDirectory] = [join(directory, 'rows'), join(directory, 'plain')];
  const owner = await engineUser();
  await mkdir(plainDirectory);
  await chown(plainDirectory, owner.uid, owner.gid);
  const sizes: Sizes = options.quick
    ? { bulkRows: 2000, slowRows: 50, operations: 50, file }
    : { bulkRows: 100_000, slowRows: 2000, operations: 1000, file };
  await writeRows(file, sizes.bulkRows);
  const subjects = await startSubjects(directory, plainDirectory, port);
  try {
    const pgbench = await pgbenchRates(subjects, options.quick ? 1 : 5);
    // The first round only warms up.
    for (let round = options.quick ? 1 : 0; round <= rounds; round += 1) {
      const into: Figures = round === 0 ? new Map() : figures;
      for (const [name, rates] of Object.entries(measures)) add(into, name, await rates(subjects, sizes));
      await pgbench(into);
      console.error(`round ${String(round)} of ${String(rounds)}, load ${(loadavg()[0] ?? 0).toFixed(1)}`);
    }
    return rounds;
  } finally {
    await subjects.stop();
  }
}

/** The median over rounds of one subject's rate divided by another's. */
function ratio(figures: Figures, measureName: string, [over, under]: readonly [string, string]): number {
  const ofMeasure = figures.get(measureName);
  const unders = ofMeasure?.get(under) ?? [];
  return rounded(
    median((ofMeasure?.get(over) ?? []).map((rate, index) => rate / (unders[index] ?? Number.NaN))),
    2,
  );
}

function report(figures: Figures, rounds: number): void {
  const rates: Record<string, Record<string, number>> = {};
  const ratios: Record<string, Record<string, number>> = {};
  for (const [name, ofMeasure] of figures) {
    rates[name] = Object.fromEntries(
      [...ofMeasure].map(([subject, all]) => [subject, Math.round(median(all))]),
    );
    const others = [...ofMeasure.keys()].filter(
      (subject) => subject !== 'compute' && ofMeasure.has('compute'),
    );
    ratios[name] = Object.fromEntries(
      others.map((other) => [other, ratio(figures, name, ['compute', other])]),
    );
  }
  console.log('per second, median:');
  console.table(rates);
  console.log('compute node divided by:');
  console.table(ratios);
  const judged = targets.map(({ measure: name, rate, of, atLeast }) => {
    const reached = ratio(figures, name, [rate, of]);
    return {
      target: `${name}: ${rate} at least ${String(atLeast)} × ${of}`,
      reached,
      verdict: reached >= atLeast ? 'met' : 'not met',
    };
  });
  console.table(judged);
  console.log(JSON.stringify({ bench: 'compute', rounds, perSecond: rates, ratios, targets: judged }));
}

export async function benchCompute(options: BenchOptions): Promise<void> {
  await withWorkspace([], async (directory) => {
    const figures: Figures = new Map();
    report(figures, await measure(directory, options, figures));
  });
}
