import { join } from 'node:path';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ManagerClient } from '../src/client/manager.ts';
import { identityOf, type ProcessIdentity } from '../src/engines/process-identity.ts';
import { ensureHome, homeAt, type Home } from '../src/manager/home.ts';
import { managerUrl, readHomeConfig } from '../src/manager/home-config.ts';
import { readLiveProcess } from '../src/manager/process-file.ts';
import { usageOf, type Usage } from './idle/process-usage.ts';
import type { BenchOptions } from './options.ts';
import { kluster } from './support/kluster-program.ts';
import { shareTemplates } from './support/shared-templates.ts';
import { median, rounded } from './support/statistics.ts';
import { withWorkspace } from './support/workspace.ts';

/** Memory and processor time of what `kluster up` starts, while nobody uses it. One round is one window of time. */
const defaultRounds = 3;
const windowSeconds = 60;
const quickWindowSeconds = 1;
/** After the start connections are opened and caches filled. */
const settleSeconds = 10;
const hostaddr = '127.0.24.41';

type Processes = ReadonlyMap<string, ProcessIdentity>;

interface Window {
  readonly cpuPercent: number;
  readonly end: Usage;
}

export async function benchIdle(options: BenchOptions): Promise<void> {
  const rounds = options.rounds ?? defaultRounds;
  const seconds = options.quick ? quickWindowSeconds : windowSeconds;
  await withWorkspace([], async (directory) => {
    const home = homeAt(join(directory, 'home'));
    await ensureHome(home);
    await shareTemplates(home);
    const quickly = options.quick ? ['--no-cluster'] : [];
    await kluster('up', '--home', home.directory, '--hostaddr', hostaddr, ...quickly);
    const processes = await processesOf(home);
    if (!options.quick) await sleep(settleSeconds * 1000);
    const windows = new Map<string, Window[]>([...processes.keys()].map((name) => [name, []]));
    for (let round = 1; round <= rounds; round += 1) {
      for (const [name, window] of await measure(processes, seconds)) windows.get(name)?.push(window);
      console.error(`round ${String(round)} of ${String(rounds)}, load ${(loadavg()[0] ?? 0).toFixed(1)}`);
    }
    report(windows, { rounds, seconds });
  });
}

async function processesOf(home: Home): Promise<Processes> {
  const config = await readHomeConfig(home);
  if (config === undefined) throw new Error('kluster up left no configuration');
  const { metadata, clusters } = await new ManagerClient({ url: managerUrl(config) }).status();
  const manager = await readLiveProcess(home.managerPidFile);
  const agent = await readLiveProcess(home.agentPidFile);
  const engine = (pid: number | null | undefined): ProcessIdentity | undefined =>
    (typeof pid === 'number' ? identityOf(pid) : undefined) ?? undefined;
  const nodes = clusters.flatMap(({ shards }) => shards.flatMap((shard) => shard.nodes));
  const found: readonly (readonly [string, ProcessIdentity | undefined])[] = [
    ['manager', manager],
    ['agent', agent],
    ['metadata server', engine(metadata.nodes[0]?.pid)],
    ...nodes.map(
      (node, index) => [`storage node ${String(index + 1)} (${node.role})`, engine(node.pid)] as const,
    ),
    ...clusters.flatMap(({ comps }) => comps.map((comp) => ['compute node', engine(comp.pid)] as const)),
  ];
  return new Map(
    found.map(([name, identity]) => {
      if (identity === undefined) throw new Error(`${name} does not run`);
      return [name, identity] as const;
    }),
  );
}

async function measure(processes: Processes, seconds: number): Promise<ReadonlyMap<string, Window>> {
  const before = await usages(processes);
  const start = performance.now();
  await sleep(seconds * 1000);
  const passed = (performance.now() - start) / 1000;
  const after = await usages(processes);
  return new Map(
    [...after].map(([name, end]) => {
      const used = end.cpuSeconds - (before.get(name)?.cpuSeconds ?? 0);
      return [name, { cpuPercent: (100 * used) / passed, end }] as const;
    }),
  );
}

async function usages(processes: Processes): Promise<ReadonlyMap<string, Usage>> {
  const found = new Map<string, Usage>();
  for (const [name, identity] of processes) {
    // The manager starts the metadata server, the agent the other engines: each counts for itself.
    found.set(name, await usageOf(identity, [...processes.values()]));
  }
  return found;
}

function report(
  windows: ReadonlyMap<string, readonly Window[]>,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): void {
  const figures = Object.fromEntries(
    [...windows].map(([name, measured]) => {
      const percents = measured.map(({ cpuPercent }) => cpuPercent);
      const mib = (value: (usage: Usage) => number): number =>
        rounded(median(measured.map(({ end }) => value(end))) / 1024, 0);
      return [
        name,
        {
          processes: measured.at(-1)?.end.processes,
          rssMib: mib(({ residentKib }) => residentKib),
          pssMib: mib(({ proportionalKib }) => proportionalKib),
          cpuPercent: rounded(median(percents), 2),
          lowest: rounded(Math.min(...percents), 2),
          highest: rounded(Math.max(...percents), 2),
        },
      ];
    }),
  );
  console.log(
    `cpu: percent of one core, ${String(rounds)} windows of ${String(seconds)} s; memory: median of their ends`,
  );
  console.table(figures);
  console.log(JSON.stringify({ bench: 'idle', rounds, seconds, figures }));
}
