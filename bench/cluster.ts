import { join } from 'node:path';
import { loadavg } from 'node:os';
import { engineUser, findMysql, findPostgres } from '../src/engines/installation.ts';
import { bareEngines, type BareTimes } from './cluster/bare-engines.ts';
import type { BareInput } from './cluster/bare-server.ts';
import { phaseTimes } from './cluster/phases.ts';
import type { BenchOptions } from './options.ts';
import { BenchInstallation } from './support/installation.ts';
import { median, rounded, secondsWithRange } from './support/statistics.ts';
import { withWorkspace } from './support/workspace.ts';

/**
 * Wall time of create_cluster and delete_cluster by phase, and of the same engines brought up without Kluster. Rounds are
 * interleaved, so that whatever else the machine does hits all of them alike.
 */
const shapes = [
  { name: 'no_rep 1×1', haMode: 'no_rep', nodes: 1 },
  { name: 'rbr 1×3', haMode: 'rbr', nodes: 3 },
  { name: 'mgr 1×3', haMode: 'mgr', nodes: 3 },
] as const;

type Shape = (typeof shapes)[number];

/** Of create_cluster for rbr 1×3 with one compute node. */
const targetSeconds = 10;
const defaultRounds = 5;
const network = '127.0.24';
const addresses = {
  manager: `${network}.1`,
  machines: [11, 12, 13].map((host) => `${network}.${String(host)}`),
};
const bareHost = `${network}.31`;

/** Milliseconds by subject and phase, one value for each round. */
type Figures = Map<string, Map<string, number[]>>;

export async function benchCluster(options: BenchOptions): Promise<void> {
  const rounds = options.rounds ?? defaultRounds;
  const [smallest, rbr] = shapes;
  const wanted = options.quick ? [smallest] : shapes;
  /** The shape that is compared with the same number of engines alone. */
  const reference: Shape = options.quick ? smallest : rbr;
  const machines = addresses.machines.slice(0, reference.nodes);
  await withWorkspace([...machines, bareHost], async (directory) => {
    const input: BareInput = {
      user: await engineUser(),
      mysql: await findMysql(),
      postgres: await findPostgres(),
      hostaddr: bareHost,
    };
    const installation = await BenchInstallation.start(directory, { ...addresses, machines });
    const figures: Figures = new Map();
    const storageServers = reference.nodes;
    // The first round only warms up: templates, the page cache, compiled code.
    for (let round = options.quick ? 1 : 0; round <= rounds; round += 1) {
      const into: Figures = round === 0 ? new Map() : figures;
      for (const shape of wanted) await measureShape(installation, shape, into);
      for (const atOnce of options.quick ? [true] : [true, false]) {
        const times = await bareEngines(input, join(directory, 'bare'), { storageServers, atOnce });
        addBare(into, atOnce, times);
      }
      console.error(`round ${String(round)} of ${String(rounds)}, load ${(loadavg()[0] ?? 0).toFixed(1)}`);
    }
    report(figures, rounds, reference);
  });
}

async function measureShape(installation: BenchInstallation, shape: Shape, into: Figures): Promise<void> {
  const created = await installation.run('create_cluster', {
    ha_mode: shape.haMode,
    shards: '1',
    nodes: String(shape.nodes),
    comps: '1',
    dbcfg: '1',
  });
  add(into, `create ${shape.name}`, new Map([['whole', created.wallMs], ...phaseTimes(created.job)]));
  const id = created.job.attachment?.['cluster_id'];
  if (typeof id !== 'string') throw new Error('create_cluster did not tell the id of the cluster');
  const deleted = await installation.run('delete_cluster', { cluster_id: id });
  add(into, `delete ${shape.name}`, new Map([['whole', deleted.wallMs], ...phaseTimes(deleted.job)]));
}

const bareSubject = (atOnce: boolean): string => `engines alone, ${atOnce ? 'at once' : 'one after another'}`;

function addBare(into: Figures, atOnce: boolean, times: BareTimes): void {
  add(into, bareSubject(atOnce), new Map(Object.entries(times)));
}

function add(into: Figures, subject: string, times: ReadonlyMap<string, number>): void {
  const phases = into.get(subject) ?? new Map<string, number[]>();
  into.set(subject, phases);
  for (const [phase, ms] of times) phases.set(phase, [...(phases.get(phase) ?? []), ms]);
}

/** Median over the rounds of one subject's whole time divided by another figure of the same round. */
function ratio(figures: Figures, subject: string, [other, phase]: readonly [string, string]): number {
  const divisors = figures.get(other)?.get(phase) ?? [];
  const wholes = figures.get(subject)?.get('whole') ?? [];
  return rounded(median(wholes.map((whole, round) => whole / (divisors[round] ?? Number.NaN))), 2);
}

function report(figures: Figures, rounds: number, reference: Shape): void {
  console.log(`seconds: median (lowest–highest) of ${String(rounds)} rounds`);
  for (const [subject, phases] of figures) {
    console.log(`\n${subject}`);
    for (const [phase, values] of phases) console.log(`  ${phase.padEnd(22)} ${secondsWithRange(values)}`);
  }
  const subject = `create ${reference.name}`;
  const whole = median(figures.get(subject)?.get('whole') ?? []) / 1000;
  const ratios = {
    atOnce: ratio(figures, subject, [bareSubject(true), 'whole']),
    oneAfterAnother: ratio(figures, subject, [bareSubject(false), 'whole']),
    startAtOnce: ratio(figures, subject, [bareSubject(true), 'start']),
  };
  console.log(
    `\n${subject} + 1 compute node: ${whole.toFixed(2)} s (target for rbr 1×3: ${String(targetSeconds)} s); ` +
      `${String(ratios.atOnce)} × the engines alone at once, ${String(ratios.oneAfterAnother)} × one after another, ` +
      `${String(ratios.startAtOnce)} × only their start at once (medians of the rounds' ratios)`,
  );
  const medians = Object.fromEntries(
    [...figures].map(([name, phases]) => [
      name,
      Object.fromEntries([...phases].map(([phase, values]) => [phase, Math.round(median(values))])),
    ]),
  );
  console.log(JSON.stringify({ bench: 'cluster', rounds, milliseconds: medians, ratios }));
}
