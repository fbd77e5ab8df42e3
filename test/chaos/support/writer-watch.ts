import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../../../src/core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../../../src/core/model.ts';
import { readChannel } from '../../../src/engines/mysql/channel.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { readSemiSync } from '../../../src/engines/mysql/semi-sync.ts';
import { numberOf, type SqlAddress, type SqlSession } from '../../../src/engines/sql.ts';
import type { Timeline } from './timeline.ts';

/** What one node says of itself at one moment. */
export interface WriterSample {
  readonly at: HostPort;
  readonly writable: boolean;
  /** Acknowledgements that its commits wait for; 0: none. */
  readonly acknowledgements: number;
  /** Whom it receives from at this moment, and hence acknowledges to. */
  readonly receivesFrom: HostPort | null;
}

/**
 * The nodes that could acknowledge a write to a client at this moment. An old primary that is writable but that no
 * replica receives from is none: its commits wait for ever. With commits that wait for k acknowledgements it is one that
 * is writable and that at least k others receive from.
 */
export function acknowledgers(samples: readonly WriterSample[]): readonly HostPort[] {
  const receivers = (at: HostPort): number =>
    samples.filter(
      ({ receivesFrom }) => receivesFrom !== null && colonAddress(receivesFrom) === colonAddress(at),
    ).length;
  return samples
    .filter(({ at, writable, acknowledgements }) => writable && receivers(at) >= acknowledgements)
    .map(({ at }) => at);
}

const intervalMs = 100;
const timeouts = { connectTimeoutMs: 500, statementTimeoutMs: 500 };

/** A node that is being made has only super_read_only off: then accounts of the manager may write, and no others. */
async function isOpenToApplications(session: SqlSession): Promise<boolean> {
  const [row] = await session.query('SELECT @@GLOBAL.read_only AS closed');
  return row !== undefined && numberOf(row, 'closed') === 0;
}

async function sample(address: SqlAddress): Promise<readonly WriterSample[]> {
  const { hostaddr, port } = address;
  try {
    return await withMysql({ ...address, ...timeouts }, AbortSignal.timeout(800), async (session) => {
      const channel = await readChannel(session);
      const semiSync = await readSemiSync(session);
      return [
        {
          at: { hostaddr, port },
          writable: await isOpenToApplications(session),
          acknowledgements: semiSync.enabled ? semiSync.waitForReplicaCount : 0,
          receivesFrom: channel?.receiverRunning === true ? channel.source : null,
        },
      ];
    });
  } catch (error) {
    // Down, hung, or cut off: it is asked again at the next round.
    if (error instanceof Error) return [];
    throw error;
  }
}

/** Samples every node of a shard over connections of its own, and notes every moment with two acknowledgers. */
export class WriterWatch {
  readonly violations: string[] = [];
  readonly #nodes: readonly SqlAddress[];
  readonly #timeline: Timeline;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #rounds = 0;

  constructor(nodes: readonly SqlAddress[], timeline: Timeline) {
    this.#nodes = nodes;
    this.#timeline = timeline;
  }

  get rounds(): number {
    return this.#rounds;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let last = '';
    while (!this.#stopped) {
      try {
        const found = await this.#round();
        if (found.length > 1) {
          // Nodes are not asked at the very same instant: a role that moved between two answers is no violation.
          const again = await this.#round();
          const both = found.filter((at) => again.includes(at));
          if (both.length > 1) this.#violated(both);
        }
        if (found.join(', ') !== last)
          this.#timeline.note(`able to acknowledge: ${found.join(', ') || 'nobody'}`);
        last = found.join(', ');
      } catch (error) {
        this.#timeline.note(`the watcher could not look: ${errorText(error)}`);
      }
      await sleep(intervalMs);
    }
  }

  async #round(): Promise<readonly string[]> {
    const samples = (await Promise.all(this.#nodes.map(sample))).flat();
    this.#rounds += 1;
    return acknowledgers(samples).map(colonAddress);
  }

  #violated(nodes: readonly string[]): void {
    const text = `TWO NODES COULD ACKNOWLEDGE WRITES: ${nodes.join(' and ')}`;
    this.violations.push(text);
    this.#timeline.note(text);
  }
}
