import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MachineNetwork } from '../test/support/machine-network.ts';
import { BenchCluster } from './failover/bench-cluster.ts';
import { Figures, type Round } from './failover/figures.ts';
import { plainGroupOutages } from './failover/plain-group.ts';
import { scenarios, type Mend, type Scenario, type Stage } from './failover/scenarios.ts';
import { ComputeTarget, DirectTarget } from './failover/targets.ts';
import { Writer } from './failover/writer.ts';
import type { BenchOptions } from './options.ts';
import { BenchInstallation } from './support/installation.ts';
import { rounded } from './support/statistics.ts';
import { withWorkspace } from './support/workspace.ts';

/**
 * The write outage that clients see when a shard loses its primary, or an operator moves it: one writes through a compute
 * node, one directly at whichever node takes writes. Beside it plain group replication with its own defaults.
 */
const defaultRounds = 5;
const quickScenarios = 2;
const prefix = '10.231.24';
const recoveryDeadlineMs = 60_000;
/** How long both write before the fault. */
const settleMs = 500;
const rowsOfRound = 100_000;
/** Plain groups that are measured at once: almost all of their outage is waiting. */
const plainGroups = 2;

export async function benchFailover(options: BenchOptions): Promise<void> {
  const figures = new Figures();
  const network = await MachineNetwork.make(prefix, 3);
  await withWorkspace(
    [],
    async (directory) => {
      const computer = `${prefix}.2`;
      const installation = await BenchInstallation.start(directory, {
        manager: `${prefix}.1`,
        machines: [...network.machines, computer],
        namespaceOf: (machine) => (machine === computer ? undefined : network.namespaceOf(machine)),
        failover: { fastPerHour: 1_000_000 },
      });
      const bench = { installation, network, computer, directory };
      await (options.quick ? quick(bench, figures) : measureAll(bench, options, figures));
    },
    async () => {
      figures.report();
      await network.close();
    },
  );
}

interface Bench {
  readonly installation: BenchInstallation;
  readonly network: MachineNetwork;
  readonly computer: string;
  readonly directory: string;
}

async function quick(bench: Bench, figures: Figures): Promise<void> {
  await measure(bench, { rounds: 1, scenarios: scenarios.slice(0, quickScenarios) }, figures);
}

/**
 * rbr has the machine for itself. What takes seconds of waiting for the detector of the engine, group replication with
 * Kluster and without, runs side by side.
 */
async function measureAll(bench: Bench, options: BenchOptions, figures: Figures): Promise<void> {
  const { rounds = defaultRounds, haMode: only } = options;
  const of = (haMode: string): readonly Scenario[] =>
    scenarios.filter((scenario) => scenario.haMode === haMode);
  if (only !== 'mgr') await measure(bench, { rounds, scenarios: of('rbr') }, figures);
  if (only === 'rbr') return;
  const groups = Math.min(plainGroups, rounds);
  const outcomes = await Promise.allSettled([
    measure(bench, { rounds, scenarios: of('mgr') }, figures),
    ...Array.from({ length: groups }, (_, group) =>
      plainGroupOutages(bench.directory, group, (direct, index) => {
        const round = index * groups + group + 1;
        if (round > rounds) return false;
        figures.add({
          ...nothing,
          scenario: 'plain group replication, kill -9',
          round,
          direct,
          load: load(),
        });
        return round + groups <= rounds;
      }),
    ),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

const nothing = { compute: null, lost: 0, hung: 0, broken: 0, failed: 0 };
const load = (): number => rounded(loadavg()[0] ?? 0, 1);

interface Work {
  readonly rounds: number;
  readonly scenarios: readonly Scenario[];
}

/** Rounds are interleaved, so that whatever else the machine does hits all scenarios alike. */
async function measure({ installation, network, computer }: Bench, work: Work, into: Figures): Promise<void> {
  const haMode = work.scenarios[0]?.haMode ?? 'rbr';
  const cluster = await BenchCluster.create(installation, { haMode, storage: network.machines, computer });
  const order = Array.from({ length: work.rounds }, (_, round) =>
    work.scenarios.map((scenario) => ({ scenario, round: round + 1 })),
  ).flat();
  for (const [index, { scenario, round }] of order.entries()) {
    const began = performance.now();
    try {
      into.add({ ...(await strikeOnce({ cluster, network }, scenario, index * rowsOfRound)), round });
    } catch (error) {
      into.addUnfinished(scenario.name, error);
    }
    const seconds = rounded((performance.now() - began) / 1000, 1);
    console.error(
      `${scenario.name}, round ${String(round)} of ${String(work.rounds)}, took ${String(seconds)} s`,
    );
  }
  into.addLostInTheEnd(await cluster.lostSince());
  await cluster.remove();
}

/** Rows are numbered from `first` on. */
async function strikeOnce(stage: Stage, scenario: Scenario, first: number): Promise<Omit<Round, 'round'>> {
  const { cluster } = stage;
  await cluster.untilWhole();
  const throughComp = new ComputeTarget(await cluster.computeLogin());
  const compute = new Writer(throughComp, first);
  const direct = new Writer(new DirectTarget(await cluster.nodes(), cluster.management), first);
  await Promise.all([compute.untilWritten(recoveryDeadlineMs), direct.untilWritten(recoveryDeadlineMs)]);
  await sleep(settleMs);
  const primary = await cluster.primary();
  const struckAt = performance.now();
  let mend: Mend = () => Promise.resolve();
  try {
    mend = await scenario.strike(primary, stage);
    await cluster.untilMoved(primary);
    await Promise.all([compute.untilWritten(recoveryDeadlineMs), direct.untilWritten(recoveryDeadlineMs)]);
  } finally {
    await mend();
    await Promise.all([compute.stop(), direct.stop()]);
  }
  const failed = compute.failed;
  const measuredLoad = load();
  await cluster.untilWhole();
  return {
    scenario: scenario.name,
    compute: rounded(compute.longestGapMs(struckAt), 0),
    direct: rounded(direct.longestGapMs(struckAt), 0),
    lost:
      (await cluster.lost('audit', compute.acknowledged)) +
      (await cluster.lost('direct', direct.acknowledged)),
    hung: throughComp.hung,
    broken: throughComp.broken,
    failed,
    load: measuredLoad,
  };
}
