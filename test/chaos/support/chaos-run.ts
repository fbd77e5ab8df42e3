import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../../../src/core/errors/kluster-error.ts';
import { numberOf, textOf } from '../../../src/engines/sql.ts';
import { askDoctor, isIdle } from '../../support/healthy.ts';
import { BankTransfers, ComputeAudit, DirectAudit, ShardTransfers, type Workload } from './audit.ts';
import { balanced } from './balanced.ts';
import { bankTotal, ChaosCluster } from './chaos-cluster.ts';
import { chosen, deck } from './deck.ts';
import { faults, isPossible } from './faults.ts';
import { mendErrantNodes } from './operator.ts';
import { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { WriterWatch } from './writer-watch.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** No new fault begins after this. */
  readonly milliseconds: number;
  readonly directory: string;
  readonly timeline: Timeline;
  /** Words of which one must be in the name of a fault; none: all faults. */
  readonly words?: readonly string[];
}

export interface ChaosResult {
  /** How often each kind came up, of those that this machine can have. */
  readonly faults: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  /** How often all nodes were asked who could acknowledge. */
  readonly rounds: number;
  /** Each breaks a rule that holds in every state, or says what did not come back. */
  readonly broken: readonly string[];
}

/** After a fault was mended, writes get through again within this, on a machine that has much else to do. */
const recoveryMs = 90_000;
/** What the manager mends after the last fault. */
const settleMs = 120_000;
const pollMs = 200;

/** Lets workloads write while faults happen, in an order that follows from the seed, and says which rules were broken. */
export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, milliseconds, directory, timeline, words = [] } = options;
  const names = chosen(Object.keys(faults), words);
  const cluster = await ChaosCluster.start(directory, timeline);
  const random = new Random(seed);
  const transfers = new ShardTransfers('transfers', cluster.comp);
  cluster.backend = () => transfers.backend;
  const workloads = [
    transfers,
    new DirectAudit('direct', cluster.applications),
    new ComputeAudit('compute', cluster.comp),
    new BankTransfers('bank', cluster.applications),
  ];
  const watch = new WriterWatch(cluster.nodes, timeline);
  const otherWatch = new WriterWatch(cluster.otherNodes, timeline);
  const broken: string[] = [];
  const counts = new Map<string, number>();
  try {
    watch.start();
    otherWatch.start();
    for (const workload of workloads) workload.start();
    broken.push(...(await flowing(workloads)));
    const end = performance.now() + milliseconds;
    for (const name of names.filter((one) => isPossible(one, cluster))) counts.set(name, 0);
    for (const name of deck([...counts.keys()], seed)) {
      if (performance.now() >= end || broken.length > 0) break;
      timeline.note(`fault: ${name}`);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      await faults[name]?.(cluster, random);
      broken.push(...(await flowing(workloads)).map((text) => `after "${name}": ${text}`));
      await mendErrantNodes(cluster);
      await sleep(random.between(0, 1000));
    }
    await Promise.all(workloads.map((workload) => workload.stop()));
    await mendErrantNodes(cluster);
    const direct = workloads.filter((workload) => workload !== transfers);
    broken.push(...(await settled(cluster)), ...(await accountedFor(cluster, direct)));
    broken.push(...(await balanced(cluster, transfers)));
    await Promise.all([watch.stop(), otherWatch.stop()]);
    broken.push(...watch.violations, ...otherWatch.violations);
    const acknowledged = workloads.reduce((sum, workload) => sum + workload.acknowledged.size, 0);
    if (broken.length > 0) await cluster.noteFailovers();
    return { faults: counts, acknowledged, rounds: watch.rounds, broken };
  } catch (error) {
    timeline.note(`the run itself failed: ${errorText(error)}`);
    await cluster.noteFailovers();
    throw error;
  } finally {
    await Promise.all([watch.stop(), otherWatch.stop(), ...workloads.map((workload) => workload.stop())]);
    await cluster.close();
  }
}

/** Every workload gets something acknowledged from now on. */
async function flowing(workloads: readonly Workload[]): Promise<readonly string[]> {
  const since = Date.now();
  const deadline = performance.now() + recoveryMs;
  for (;;) {
    const silent = workloads.filter(({ lastAt }) => lastAt <= since);
    if (silent.length === 0) return [];
    if (performance.now() > deadline) {
      return silent.map(({ name }) => `no write of ${name} gets through any more`);
    }
    await sleep(pollMs);
  }
}

/** Jobs have ended, and the catalog is what runs. */
async function settled(cluster: ChaosCluster): Promise<readonly string[]> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    const report = await askDoctor(cluster.installation.client).catch((error: unknown) => errorText(error));
    if (typeof report !== 'string' && isIdle(report)) return [];
    if (performance.now() > deadline)
      return [`the doctor is not content: ${JSON.stringify(report, null, 1)}`];
    await sleep(500);
  }
}

async function accountedFor(
  cluster: ChaosCluster,
  workloads: readonly Workload[],
): Promise<readonly string[]> {
  const rows = await cluster.onPrimary('SELECT id, COUNT(*) AS copies FROM chaos.audit GROUP BY id');
  const copies = new Map(rows.map((row) => [textOf(row, 'id'), numberOf(row, 'copies')]));
  const [bank] = await cluster.onPrimary('SELECT SUM(balance) AS total FROM chaos.bank');
  const total = bank === undefined ? 0 : numberOf(bank, 'total');
  const broken: string[] = [];
  for (const { acknowledged } of workloads) {
    const lost = [...acknowledged].filter((id) => !copies.has(id));
    if (lost.length > 0)
      broken.push(`LOST: ${lost.slice(0, 20).join(', ')} of ${String(lost.length)} acknowledged writes`);
  }
  const twice = [...copies].filter(([, count]) => count > 1).map(([id]) => id);
  if (twice.length > 0) broken.push(`WRITTEN TWICE: ${twice.slice(0, 20).join(', ')}`);
  if (total !== bankTotal)
    broken.push(`MONEY: the total is ${String(total)} instead of ${String(bankTotal)}`);
  return broken;
}
