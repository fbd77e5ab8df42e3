import type { StorageNodeJson } from '../../src/core/rest-types.ts';
import type { MachineNetwork } from '../../test/support/machine-network.ts';
import type { BenchCluster } from './bench-cluster.ts';

export interface Stage {
  readonly cluster: BenchCluster;
  readonly network: MachineNetwork;
}

export type Mend = () => Promise<void>;

/** One way for a shard to lose its primary. */
export interface Scenario {
  readonly name: string;
  readonly haMode: 'rbr' | 'mgr';
  /** Resolves when the primary is lost for its clients, or has been moved. @returns the way to take it back */
  strike(primary: StorageNodeJson, stage: Stage): Promise<Mend>;
}

const nothingToMend = (): Promise<void> => Promise.resolve();

function signalTo(node: StorageNodeJson, signal: NodeJS.Signals): void {
  if (node.pid === null) throw new Error(`the process of ${node.hostaddr} is not known`);
  process.kill(node.pid, signal);
}

function kill(primary: StorageNodeJson): Promise<Mend> {
  signalTo(primary, 'SIGKILL');
  return Promise.resolve(nothingToMend);
}

async function switchOver(primary: StorageNodeJson, { cluster }: Stage): Promise<Mend> {
  await cluster.switchOver(primary);
  return nothingToMend;
}

/** Those that come first are what `--quick` runs. */
export const scenarios: readonly Scenario[] = [
  { name: 'rbr, planned switchover', haMode: 'rbr', strike: switchOver },
  { name: 'rbr, kill -9', haMode: 'rbr', strike: kill },
  {
    name: 'rbr, SIGSTOP',
    haMode: 'rbr',
    strike(primary) {
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
    async strike(primary, { network }) {
      await network.cut(primary.hostaddr);
      return () => network.mend(primary.hostaddr);
    },
  },
  { name: 'mgr, planned switchover', haMode: 'mgr', strike: switchOver },
  { name: 'mgr, kill -9', haMode: 'mgr', strike: kill },
];
