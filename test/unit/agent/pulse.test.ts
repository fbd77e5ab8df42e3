import { afterEach, describe, expect, it } from 'vitest';
import { Pulse } from '../../../src/agent/pulse.ts';
import type { PulseBeat } from '../../../src/engines/engine.ts';

type Behaviour = 'answers' | 'is deaf' | 'hangs' | 'refuses' | 'cannot be reached' | 'is full';

/** An engine that behaves as told, and counts the sessions to it. */
class FakeEngine {
  behaviour: Behaviour;
  opened = 0;
  closed = 0;
  told: boolean[] = [];
  readonly pulse: Pulse;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.pulse = new Pulse({
      open: () => this.#open(),
      changed: () => {
        this.told.push(this.pulse.health.answers);
      },
      beatMs: 5,
      deadlineMs: 20,
    });
  }

  #open() {
    if (this.behaviour === 'cannot be reached') return Promise.reject(new Error('ECONNREFUSED'));
    if (this.behaviour === 'is full') return Promise.resolve(null);
    this.opened += 1;
    return Promise.resolve({
      beat: () => this.#beat(),
      close: () => {
        this.closed += 1;
      },
    });
  }

  #beat(): Promise<PulseBeat> {
    if (this.behaviour === 'refuses') return Promise.reject(new Error('gone away'));
    if (this.behaviour === 'hangs') return new Promise(() => undefined);
    return Promise.resolve({ hearsSource: this.behaviour !== 'is deaf' });
  }
}

describe('the pulse of an engine', () => {
  const engines: FakeEngine[] = [];
  const engine = (behaviour: Behaviour = 'answers'): FakeEngine => {
    const made = new FakeEngine(behaviour);
    engines.push(made);
    return made;
  };
  afterEach(async () => {
    await Promise.all(engines.splice(0).map(({ pulse }) => pulse.stop()));
  });

  it.for<Behaviour>(['hangs', 'refuses', 'cannot be reached'])(
    'tells once that an engine which %s is silent, and once that it answers again',
    async (behaviour) => {
      const fake = engine();
      await expect.poll(() => fake.opened).toBe(1);
      fake.behaviour = behaviour;
      // A refusal to new sessions alone is not silence: the open one still answers.
      if (behaviour === 'cannot be reached') fake.behaviour = 'refuses';
      await expect.poll(() => fake.told, { timeout: 5000 }).toEqual([false]);
      fake.behaviour = behaviour;
      expect(fake.pulse.health.reason).toMatch(/\S/);
      fake.behaviour = 'answers';
      await expect.poll(() => fake.told, { timeout: 5000 }).toEqual([false, true]);
      expect(fake.pulse.health).toEqual({ answers: true, reason: null, hearsSource: true });
    },
  );

  it('tells when its server stops hearing from its source, and when it hears again', async () => {
    const fake = engine();
    await expect.poll(() => fake.pulse.health.hearsSource).toBe(true);
    fake.behaviour = 'is deaf';
    await expect.poll(() => fake.told).toEqual([true]);
    expect(fake.pulse.health.hearsSource).toBe(false);
    fake.behaviour = 'answers';
    await expect.poll(() => fake.told).toEqual([true, true]);
    expect(fake.pulse.health.hearsSource).toBe(true);
  });

  it('keeps asking over the session it has: no new one is needed while the server takes no more', async () => {
    const fake = engine();
    await expect.poll(() => fake.opened).toBe(1);
    fake.behaviour = 'answers';
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(fake).toMatchObject({ opened: 1, closed: 0, told: [] });
  });

  it('takes a refusal to open a session for an answer', async () => {
    const fake = engine('is full');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(fake).toMatchObject({ opened: 0, told: [] });
  });

  it('closes its session when it is stopped', async () => {
    const fake = engine();
    await expect.poll(() => fake.opened).toBe(1);
    await fake.pulse.stop();
    expect(fake.closed).toBe(1);
  });
});
