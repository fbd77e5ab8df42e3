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
    await healAfter(cluster, hold(random));
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

async function fill(cluster: ChaosCluster, hostaddr: string, milliseconds: number): Promise<void> {
  const disk = cluster.disk(hostaddr);
  const blocks = await disk.fill();
  cluster.timeline.note(`the disk of ${hostaddr} is full: ${String(blocks)} blocks are free`);
  try {
    await sleep(milliseconds);
  } finally {
    await disk.empty();
    cluster.timeline.note(`the disk of ${hostaddr} has room again`);
  }
}

async function freeze(cluster: ChaosCluster, hostaddr: string, milliseconds: number): Promise<void> {
  const disk = cluster.disk(hostaddr);
  await disk.freeze();
  cluster.timeline.note(`the disk of ${hostaddr} does not answer any more`);
  try {
    await sleep(milliseconds);
  } finally {
    await disk.thaw();
    cluster.timeline.note(`the disk of ${hostaddr} answers again`);
  }
}

/** So many writes a second: a commit takes several, so that some seconds of work wait for the disk, or all of it. */
const slowDisk = [5, 20, 60];

async function slow(cluster: ChaosCluster, hostaddr: string, random: Random): Promise<void> {
  const disk = cluster.disk(hostaddr);
  const writes = random.pick(slowDisk);
  await disk.slow(writes);
  cluster.timeline.note(`the disk of ${hostaddr} does ${String(writes)} writes a second`);
  try {
    await sleep(random.pick([4000, 15_000]));
  } finally {
    await disk.slow(null);
    cluster.timeline.note(`the disk of ${hostaddr} is as fast as before`);
  }
}

async function healAfter(cluster: ChaosCluster, milliseconds: number): Promise<void> {
  try {
    await sleep(milliseconds);
  } finally {
    await cluster.network.heal();
    cluster.timeline.note('the network is whole again');
  }
}

/** Milliseconds: more than any time-out, ahead and back. */
const clockSteps = [-3_600_000, -5000, 5000, 3_600_000];

/** It stays set: somebody else may set it again. */
async function setClock(cluster: ChaosCluster, who: string, step: number): Promise<void> {
  cluster.timeline.note(`the clock of ${who} is set by ${String(step)} ms`);
  await cluster.installation.setClock(who, step);
}

async function restartManager(cluster: ChaosCluster): Promise<void> {
  cluster.timeline.note('SIGKILL to the manager');
  await cluster.installation.killManager();
  await cluster.installation.startManager();
  cluster.timeline.note('a new manager serves');
}

/** Not every machine has disks that can be frozen, or slowed down. */
export const isPossible = (name: string, can: Pick<ChaosCluster, 'canFreeze' | 'canSlow'>): boolean =>
  (can.canFreeze || !name.startsWith('freeze ')) && (can.canSlow || !name.startsWith('slow the disk '));

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
  'fill the disk of the primary': async (cluster, random) =>
    fill(cluster, (await cluster.primary()).hostaddr, random.pick([1500, 4000, 20_000])),
  'fill the disk of a replica': async (cluster, random) =>
    fill(cluster, (await someReplica(cluster, random)).hostaddr, hold(random)),
  // Shorter and longer than what an agent takes for slow.
  'freeze the disk of the primary': async (cluster, random) =>
    freeze(cluster, (await cluster.primary()).hostaddr, random.pick([2000, 4000, 15_000])),
  // Everybody else reaches both sides.
  'separate the primary from its replicas': async (cluster, random) => {
    const { hostaddr } = await cluster.primary();
    cluster.timeline.note(`the replicas do not reach ${hostaddr} any more, nor the other way round`);
    for (const other of cluster.nodes.filter((node) => node.hostaddr !== hostaddr))
      await cluster.network.separate(hostaddr, other.hostaddr);
    await healAfter(cluster, hold(random));
  },
  'separate the primary from one replica': async (cluster, random) => {
    const [primary, replica] = [await cluster.primary(), await someReplica(cluster, random)];
    cluster.timeline.note(`${primary.hostaddr} and ${replica.hostaddr} do not reach each other any more`);
    await cluster.network.separate(primary.hostaddr, replica.hostaddr);
    await healAfter(cluster, hold(random));
  },
  // Comes back in one direction first, as a broken cable does.
  'cut the primary off and let it come back by halves': async (cluster, random) => {
    const { hostaddr } = await cluster.primary();
    const first = random.pick(['to', 'from'] as const);
    cluster.timeline.note(`packets to and from ${hostaddr} are lost`);
    await cluster.network.cut(hostaddr, 'both');
    try {
      await sleep(random.pick([2500, 8000]));
      cluster.timeline.note(`packets ${first} ${hostaddr} are not lost any more`);
      await cluster.network.mend(hostaddr, first);
    } finally {
      await healAfter(cluster, hold(random));
    }
  },
  'set the clock of the manager': async (cluster, random) =>
    setClock(cluster, 'manager', random.pick(clockSteps)),
  'set the clock of an agent': async (cluster, random) =>
    setClock(cluster, random.pick(cluster.nodes).hostaddr, random.pick(clockSteps)),
  'slow the disk of the primary': async (cluster, random) =>
    slow(cluster, (await cluster.primary()).hostaddr, random),
  'slow the disk of a replica': async (cluster, random) =>
    slow(cluster, (await someReplica(cluster, random)).hostaddr, random),
  // As on a machine that has far too much to do: it gets on for a tenth of the time only.
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
