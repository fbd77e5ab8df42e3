import { afterEach, describe, expect, it } from 'vitest';
import { Standing } from '../../../src/agent/standing.ts';
import type { StandingSample } from '../../../src/engines/engine.ts';

const replica: StandingSample = {
  role: {
    superReadOnly: true,
    source: '10.0.0.1:3306',
    receives: true,
    applies: true,
    acknowledges: true,
    acknowledgements: 0,
    acknowledgers: 0,
    group: [],
  },
  commitsWaiting: 0,
  executed: 'a:1-5',
  prepared: [],
};

/** A node that says what it is told to say, and counts how often its agent found something to tell. */
class FakeNode {
  sample: StandingSample | 'hangs' | 'refuses';
  /** Something is committed between any two reads. */
  commits = false;
  told = 0;
  asked = 0;
  opened = 0;
  closed = 0;
  reads = 0;
  readonly standing: Standing;

  constructor(sample: FakeNode['sample']) {
    this.sample = sample;
    this.standing = new Standing({
      open: () => this.#open(),
      changed: () => {
        this.told += 1;
      },
      intervalMs: 2,
      deadlineMs: 20,
    });
  }

  #open() {
    this.asked += 1;
    if (this.sample === 'refuses') return Promise.resolve(null);
    this.opened += 1;
    return Promise.resolve({
      read: () => this.#read(),
      close: () => {
        this.closed += 1;
      },
    });
  }

  #read(): Promise<StandingSample> {
    this.reads += 1;
    const { sample } = this;
    if (typeof sample === 'string') return new Promise(() => undefined);
    return Promise.resolve(this.commits ? { ...sample, executed: `a:1-${String(this.reads)}` } : sample);
  }

  async moreReads(count: number): Promise<void> {
    const wanted = this.reads + count;
    await expect.poll(() => this.reads).toBeGreaterThanOrEqual(wanted);
  }
}

describe('the standing of a storage node', () => {
  const nodes: FakeNode[] = [];
  const node = (sample: FakeNode['sample'] = replica): FakeNode => {
    const made = new FakeNode(sample);
    nodes.push(made);
    return made;
  };
  afterEach(async () => {
    await Promise.all(nodes.map(({ standing }) => standing.stop()));
    for (const { opened, closed } of nodes.splice(0)) expect(closed).toBe(opened);
  });

  it('is told once, and again when it changes', async () => {
    const fake = node();
    await fake.moreReads(5);
    expect([fake.told, fake.standing.current]).toEqual([
      1,
      { ...replica.role, stalled: false, lingering: 0 },
    ]);
    fake.sample = { ...replica, role: { ...replica.role, superReadOnly: false } };
    await expect.poll(() => fake.standing.current?.superReadOnly).toBe(false);
    await fake.moreReads(5);
    expect([fake.told, fake.opened]).toEqual([2, 1]);
  });

  it('does not change while a busy node commits, but when its commits wait and nothing is done', async () => {
    const fake = node();
    await fake.moreReads(1);
    fake.commits = true;
    fake.sample = { ...replica, commitsWaiting: 3 };
    await fake.moreReads(10);
    fake.commits = false;
    fake.sample = { ...replica, executed: 'a:1-20' };
    await fake.moreReads(2);
    expect(fake.told).toBe(1);
    fake.sample = { ...replica, commitsWaiting: 3, executed: 'a:1-20' };
    await expect.poll(() => fake.standing.current?.stalled).toBe(true);
    expect(fake.told).toBe(2);
  });

  it('is not known any more when the node does not answer, and nothing waits for that', async () => {
    const fake = node();
    await expect.poll(() => fake.told).toBe(1);
    fake.sample = 'hangs';
    await expect.poll(() => fake.standing.current).toBe(null);
    expect(fake.told).toBe(2);
    fake.sample = replica;
    await expect.poll(() => fake.standing.current).not.toBe(null);
  });

  it('is not known of a node that refuses the session', async () => {
    const fake = node('refuses');
    await expect.poll(() => fake.asked).toBeGreaterThan(3);
    expect([fake.told, fake.standing.current]).toEqual([0, null]);
  });
});
