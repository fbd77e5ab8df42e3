import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlAddress } from '../../../src/engines/sql.ts';
import { type ChaosCluster } from './chaos-cluster.ts';
import type { Direction } from './network.ts';
import type { Random } from './random.ts';

/** Does the damage, and mends what does not mend itself. */
export type Fault = (cluster: ChaosCluster, random: Random) => Promise<void>;

/** Milliseconds: shorter and longer than what the manager waits before it fails over. */
const hold = (random: Random): number => random.pick([1500, 4000, 12_000]);

function kill(cluster: ChaosCluster, pid: number, signal: NodeJS.Signals, what: string): void {
  cluster.timeline.note(`${signal} to ${what}, pid ${String(pid)}`);
  process.kill(pid, signal);
}

async function killEngine(cluster: ChaosCluster, at: SqlAddress, what: string): Promise<void> {
  kill(cluster, await cluster.enginePid(at), 'SIGKILL', `${what} on ${at.hostaddr}`);
}

async function someReplica(cluster: ChaosCluster, random: Random): Promise<SqlAddress> {
  const primary = await cluster.primary();
  return random.pick(cluster.nodes.filter((node) => node !== primary));
}

/** Stopped, and woken again even when something goes wrong in between. */
async function pause(cluster: ChaosCluster, at: SqlAddress, milliseconds: number): Promise<void> {
  const pid = await cluster.enginePid(at);
  kill(cluster, pid, 'SIGSTOP', `mysqld on ${at.hostaddr}`);
  try {
    await sleep(milliseconds);
  } finally {
    kill(cluster, pid, 'SIGCONT', `mysqld on ${at.hostaddr}`);
  }
}

function partition(direction: Direction): Fault {
  return async (cluster, random) => {
    const { hostaddr } = await cluster.primary();
    cluster.timeline.note(`packets ${direction} ${hostaddr} are lost`);
    await cluster.network.cut(hostaddr, direction);
    try {
      await sleep(hold(random));
    } finally {
      await cluster.network.heal();
      cluster.timeline.note('the network is whole again');
    }
  };
}

async function loseAndReturn(
  cluster: ChaosCluster,
  hostaddr: string,
  meanwhile: () => Promise<void>,
): Promise<void> {
  cluster.timeline.note(`machine ${hostaddr} is lost`);
  await cluster.loseMachine(hostaddr);
  try {
    await meanwhile();
  } finally {
    await cluster.installation.startAgent(hostaddr);
    cluster.timeline.note(`machine ${hostaddr} is back`);
  }
}

async function waitForPrimaryOtherThan(
  cluster: ChaosCluster,
  old: SqlAddress,
  milliseconds: number,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while ((await cluster.primary()) === old && performance.now() < deadline) await sleep(100);
}

async function restartManager(cluster: ChaosCluster): Promise<void> {
  cluster.timeline.note('SIGKILL to the manager');
  await cluster.installation.killManager();
  await cluster.installation.startManager();
  cluster.timeline.note('a new manager serves');
}

/** Every kind of damage by its name. */
export const faults: Readonly<Record<string, Fault>> = {
  'kill the primary': async (cluster) => killEngine(cluster, await cluster.primary(), 'the primary'),
  'kill the primary of the other shard': async (cluster) =>
    killEngine(cluster, await cluster.primary(cluster.otherNodes), 'the primary of the other shard'),
  'kill a backend in its transaction': async (cluster, random) => {
    // Anywhere between its first statement and the end of its commit.
    await sleep(random.between(0, 200));
    const { backend } = cluster;
    if (backend() > 0) kill(cluster, backend(), 'SIGKILL', 'a backend of the compute node');
  },
  'kill the metadata server': async (cluster) =>
    kill(cluster, await cluster.metadataPid(), 'SIGKILL', 'the metadata server'),
  'kill a replica': async (cluster, random) =>
    killEngine(cluster, await someReplica(cluster, random), 'a replica'),
  'kill the compute node': (cluster) => killEngine(cluster, cluster.comp, 'the compute node'),
  'kill an agent': async (cluster, random) => {
    const { hostaddr } = random.pick(cluster.nodes);
    cluster.timeline.note(`SIGKILL to the agent of ${hostaddr}`);
    await cluster.installation.killAgent(hostaddr);
    await sleep(random.between(0, 3000));
    await cluster.installation.startAgent(hostaddr);
  },
  'kill the manager': restartManager,
  'pause the primary': async (cluster, random) => pause(cluster, await cluster.primary(), hold(random)),
  'pause a replica': async (cluster, random) =>
    pause(cluster, await someReplica(cluster, random), hold(random)),
  'lose the machine of the primary': async (cluster, random) => {
    const { hostaddr } = await cluster.primary();
    await loseAndReturn(cluster, hostaddr, () => sleep(hold(random)));
  },
  'cut the primary off': partition('both'),
  'lose packets to the primary': partition('to'),
  'lose packets from the primary': partition('from'),
  'fill the disk of the primary': async (cluster, random) => {
    const { hostaddr } = await cluster.primary();
    cluster.timeline.note(`the disk of ${hostaddr} fills up`);
    await cluster.fillDisk(hostaddr);
    try {
      await sleep(hold(random));
    } finally {
      await cluster.emptyDisk(hostaddr);
      cluster.timeline.note(`the disk of ${hostaddr} has room again`);
    }
  },
  // A disk that takes long for everything, as the engine sees it: it gets on for a tenth of the time only.
  'slow the primary down': async (cluster, random) => {
    const at = await cluster.primary();
    const end = performance.now() + hold(random);
    while (performance.now() < end) {
      await pause(cluster, at, 270);
      await sleep(30);
    }
  },
  // The peers never hear that the server has ended: their connections stay half open.
  'end the primary without a farewell': async (cluster, random) => {
    const at = await cluster.primary();
    cluster.timeline.note(`${at.hostaddr} is cut off, then its engine ends`);
    await cluster.network.cut(at.hostaddr, 'both');
    try {
      await killEngine(cluster, at, 'the primary');
      await sleep(hold(random));
    } finally {
      await cluster.network.heal();
      cluster.timeline.note('the network is whole again');
    }
  },
  'kill the manager during a failover': async (cluster, random) => {
    const old = await cluster.primary();
    await loseAndReturn(cluster, old.hostaddr, async () => {
      await sleep(random.between(0, 4000));
      await restartManager(cluster);
      await sleep(random.between(0, 1500));
      await restartManager(cluster);
      await waitForPrimaryOtherThan(cluster, old, 20_000);
    });
  },
  'lose the next primary as well': async (cluster) => {
    const old = await cluster.primary();
    await loseAndReturn(cluster, old.hostaddr, () => waitForPrimaryOtherThan(cluster, old, 30_000));
    const next = await cluster.primary();
    if (next === old) return;
    await loseAndReturn(cluster, next.hostaddr, () => waitForPrimaryOtherThan(cluster, next, 30_000));
  },
};
