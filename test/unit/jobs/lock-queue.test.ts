import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobId, type JobId } from '../../../src/core/ids.ts';
import { LockQueue } from '../../../src/jobs/lock-queue.ts';

interface ModelJob {
  readonly id: JobId;
  readonly locks: ReadonlySet<string>;
  begun: boolean;
}

/** The rule said in the slowest, plainest way. */
function mayBegin(job: ModelJob, all: readonly ModelJob[]): boolean {
  return all.every(
    (other) =>
      other === job ||
      !(other.begun || other.id < job.id) ||
      [...other.locks].every((lock) => !job.locks.has(lock)),
  );
}

type Action =
  | { readonly do: 'add'; readonly locks: readonly string[]; readonly skip: number }
  | { readonly do: 'begin' | 'end'; readonly choice: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constant('add' as const),
    locks: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 }),
    skip: fc.integer({ min: 0, max: 2 }),
  }),
  fc.record({ do: fc.constantFrom('begin' as const, 'end' as const), choice: fc.nat(20) }),
);

class Harness {
  readonly queue = new LockQueue();
  jobs: ModelJob[] = [];
  #nextId = 1;

  apply(step: Action): void {
    if (step.do === 'add') this.#add(step.locks, step.skip);
    else if (step.do === 'begin') this.#begin(step.choice);
    else this.#end(step.choice);
    this.#check();
  }

  /** Submissions may become known in another order than their ids. */
  #add(locks: readonly string[], skip: number): void {
    const id = jobId(this.#nextId + skip);
    if (this.jobs.some((job) => job.id === id)) return;
    this.#nextId += 1;
    this.queue.add(id, locks, false);
    this.jobs.push({ id, locks: new Set(locks), begun: false });
  }

  #begin(choice: number): void {
    const able = this.jobs.filter((job) => !job.begun && this.queue.waitingFor(job.id).length === 0);
    const job = able[choice % Math.max(1, able.length)];
    if (job === undefined) return;
    this.queue.begin(job.id);
    job.begun = true;
  }

  #end(choice: number): void {
    const job = this.jobs[choice % Math.max(1, this.jobs.length)];
    if (job === undefined) return;
    const rest = this.jobs.filter((other) => other !== job);
    const couldNot = rest.filter((other) => !other.begun && !mayBegin(other, this.jobs));
    const told = this.queue.remove(job.id);
    this.jobs = rest;
    // Whoever can begin now because of this end is told so.
    for (const other of couldNot) if (mayBegin(other, rest)) expect(told).toContain(other.id);
    expect(told).toEqual(told.toSorted((one, two) => one - two));
  }

  #check(): void {
    for (const job of this.jobs) {
      if (job.begun) continue;
      const waiting = this.queue.waitingFor(job.id);
      expect(waiting.length === 0).toBe(mayBegin(job, this.jobs));
      for (const { lock, job: holder } of waiting) {
        expect(job.locks).toContain(lock);
        expect(this.jobs.find(({ id }) => id === holder)?.locks).toContain(lock);
      }
    }
    const begun = this.jobs.filter((job) => job.begun);
    for (const one of begun) {
      for (const two of begun) {
        if (one !== two) expect([...one.locks].filter((lock) => two.locks.has(lock))).toEqual([]);
      }
    }
    // Nobody waits in a circle: when no job has begun, one can.
    if (begun.length === 0 && this.jobs.length > 0) {
      expect(this.jobs.some((job) => this.queue.waitingFor(job.id).length === 0)).toBe(true);
    }
  }
}

describe('LockQueue', () => {
  it('does what its rule says, for any sequence of submissions, begins and ends', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const harness = new Harness();
        for (const step of actions) harness.apply(step);
      }),
      { numRuns: 300 },
    );
  });

  it('names the lock and its holder, and the next in line once the holder has ended', () => {
    const queue = new LockQueue();
    queue.add(jobId(1), ['cluster:7'], true);
    queue.add(jobId(2), ['cluster:7', 'machine:m'], false);
    queue.add(jobId(3), ['machine:m'], false);
    expect(queue.waitingFor(jobId(2))).toEqual([{ lock: 'cluster:7', job: 1 }]);
    expect(queue.waitingFor(jobId(3))).toEqual([{ lock: 'machine:m', job: 2 }]);
    expect(queue.remove(jobId(1))).toEqual([2]);
    expect(queue.waitingFor(jobId(2))).toEqual([]);
  });
});
