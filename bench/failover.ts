import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageNodeJson } from '../src/core/rest-types.ts';
import { MachineNetwork } from '../test/support/machine-network.ts';
import { BenchCluster } from './failover/bench-cluster.ts';
import { plainGroupOutages } from './failover/plain-group.ts';
import { ComputeTarget, DirectTarget } from './failover/targets.ts';
import { Writer } from './failover/writer.ts';
import type { BenchOptions } from './options.ts';
import { BenchInstallation } from './support/installation.ts';
import { percentile, rounded } from './support/statistics.ts';
import { withWorkspace } from './support/workspace.ts';

/**
 * The write outage that clients see when a shard loses its primary: one writes through a compute node, one directly at
 * whichever node takes writes. Beside it plain group replication with its own defaults.
 */
interface Scenario {
  readonly name: string;
  readonly haMode: 'rbr' | 'mgr';
  /** Makes the fault. @returns the way to take it back */
  strike(primary: StorageNodeJson, network: MachineNetwork): Promise<() => Promise<void>>;
}

const nothingToMend = (): Promise<void> => Promise.resolve();

function signalTo(node: StorageNodeJson, signal: NodeJS.Signals): void {
  if (node.pid === null) throw new Error(`the process of ${node.hostaddr} is not known`);
  process.kill(node.pid, signal);
}

const scenarios: readonly Scenario[] = [
  {
    name: 'rbr, kill -9',
    haMode: 'rbr',
    strike: (primary) => {
      signalTo(primary, 'SIGKILL');
      return Promise.resolve(nothingToMend);
    },
  },
  {
    name: 'rbr, SIGSTOP',
    haMode: 'rbr',
    strike: (primary) => {
      signalTo(primary, 'SIGSTOP');
      return Promise.resolve(() => {
        signalTo(primary, 'SIGCONT');
        return Promise.resolve();
      });
    },
  },
  {
    name: 'rbr, partition',
    haMode: 'rbr',
    strike: async (primary, network) => {
      await network.cut(primary.hostaddr);
      return () => network.mend(primary.hostaddr);
    },
  },
  {
    name: 'mgr, kill -9',
    haMode: 'mgr',
    strike: (primary) => {
      signalTo(primary, 'SIGKILL');
      return Promise.resolve(nothingToMend);
    },
  },
];

const defaultRounds = 5;
const prefix = '10.231.24';
const recoveryDeadlineMs = 60_000;
const settleMs = 1000;
const pollMs = 20;

interface Figures {
  readonly compute: number[];
  readonly direct: number[];
  lost: number;
  /** Sessions with the compute node that hung and were given up. */
  hung: number;
}

export async function benchFailover(options: BenchOptions): Promise<void> {
  const rounds = options.rounds ?? defaultRounds;
  const figures = new Map<string, Figures>();
  const network = await MachineNetwork.make(prefix, 3);
  try {
    await withWorkspace([], async (directory) => {
      const computer = `${prefix}.2`;
      const installation = await BenchInstallation.start(directory, {
        manager: `${prefix}.1`,
        machines: [...network.machines, computer],
        namespaceOf: (machine) => (machine === computer ? undefined : network.namespaceOf(machine)),
        failover: { fastPerHour: 1_000_000 },
      });
      for (const haMode of options.quick ? (['rbr'] as const) : (['rbr', 'mgr'] as const)) {
        const wanted = scenarios.filter((scenario) => scenario.haMode === haMode);
        const cluster = await BenchCluster.create(installation, {
          haMode,
          storage: network.machines,
          computer,
        });
        const measured = { rounds, scenarios: options.quick ? wanted.slice(0, 1) : wanted };
        await measure({ cluster, network }, measured, figures);
        await cluster.remove();
      }
      const plain = options.quick ? [] : await plainGroupOutages(directory, rounds);
      report(figures, plain, rounds);
    });
  } finally {
    await network.close();
  }
}

interface Stage {
  readonly cluster: BenchCluster;
  readonly network: MachineNetwork;
}

/** Rounds are interleaved, so that whatever else the machine does hits all scenarios alike. */
async function measure(
  stage: Stage,
  { rounds, scenarios: wanted }: { readonly rounds: number; readonly scenarios: readonly Scenario[] },
  into: Map<string, Figures>,
): Promise<void> {
  let first = 1;
  for (let round = 1; round <= rounds; round += 1) {
    for (const scenario of wanted) {
      const figures = into.get(scenario.name) ?? { compute: [], direct: [], lost: 0, hung: 0 };
      into.set(scenario.name, figures);
      await strikeOnce(stage, { scenario, first }, figures);
      first += 1_000_000;
      const shown = [figures.compute.at(-1), figures.direct.at(-1)].map((ms) => String(Math.round(ms ?? 0)));
      const load = (loadavg()[0] ?? 0).toFixed(1);
      console.error(
        `${scenario.name}, round ${String(round)} of ${String(rounds)}: ${shown.join(' and ')} ms, load ${load}`,
      );
    }
  }
}

async function strikeOnce(
  { cluster, network }: Stage,
  { scenario, first }: { readonly scenario: Scenario; readonly first: number },
  figures: Figures,
): Promise<void> {
  await cluster.untilWhole();
  const throughComp = new ComputeTarget(await cluster.computeLogin());
  const servers = await cluster.nodes();
  const compute = new Writer(throughComp, first);
  const direct = new Writer(new DirectTarget(servers, cluster.management), first);
  await sleep(settleMs);
  const primary = await cluster.primary();
  for (const writer of [compute, direct]) writer.markFault();
  const mend = await scenario.strike(primary, network);
  try {
    figures.compute.push(await outageOf(compute));
    figures.direct.push(await outageOf(direct));
  } finally {
    await mend();
  }
  await sleep(settleMs);
  await Promise.all([compute.stop(), direct.stop()]);
  await cluster.untilWhole();
  figures.hung += throughComp.abandoned;
  figures.lost += await cluster.lost('audit', compute.acknowledged);
  figures.lost += await cluster.lost('direct', direct.acknowledged);
}

async function outageOf(writer: Writer): Promise<number> {
  const deadline = performance.now() + recoveryDeadlineMs;
  while (performance.now() < deadline) {
    const outage = writer.outageMs();
    if (outage !== null) return outage;
    await sleep(pollMs);
  }
  throw new Error(`nothing was acknowledged within ${String(recoveryDeadlineMs)} ms after the fault`);
}

function summary(milliseconds: readonly number[]) {
  const at = (percent: number): number => rounded(percentile(milliseconds, percent), 0);
  return { p50: at(50), p95: at(95), max: at(100) };
}

function report(figures: ReadonlyMap<string, Figures>, plain: readonly number[], rounds: number): void {
  const rows = [...figures].flatMap(([name, { compute, direct, lost, hung }]) => [
    [`${name}, through a compute node`, { ...summary(compute), lost, hung }] as const,
    [`${name}, directly`, { ...summary(direct), lost, hung: 0 }] as const,
  ]);
  if (plain.length > 0)
    rows.push(['plain group replication, kill -9, directly', { ...summary(plain), lost: 0, hung: 0 }]);
  const table = Object.fromEntries(rows);
  console.log(
    `write outage in milliseconds, ${String(rounds)} rounds; lost: acknowledged rows that are gone`,
  );
  console.table(table);
  console.log(JSON.stringify({ bench: 'failover', rounds, figures: table }));
}
