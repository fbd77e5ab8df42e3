import type { JobId } from '../core/ids.ts';

/** One lock that a job waits for, and the job that is to give it up first. */
export interface Waiting {
  readonly lock: string;
  readonly job: JobId;
}

interface Entry {
  readonly locks: readonly string[];
  begun: boolean;
}

/**
 * Which unfinished job may begin: one that shares no lock name with an unfinished job that has begun, or that has a
 * smaller id. A job takes all its locks at once and waits only before it begins, so no two can wait for each other,
 * and nobody is overtaken for ever. This is the memory of the durable rows in `kluster_job_locks`.
 */
export class LockQueue {
  readonly #entries = new Map<JobId, Entry>();
  readonly #jobsByLock = new Map<string, Set<JobId>>();

  add(job: JobId, locks: readonly string[], begun: boolean): void {
    if (this.#entries.has(job)) throw new Error(`job ${String(job)} is in the lock queue already`);
    this.#entries.set(job, { locks, begun });
    for (const lock of locks) {
      const jobs = this.#jobsByLock.get(lock);
      if (jobs === undefined) this.#jobsByLock.set(lock, new Set([job]));
      else jobs.add(job);
    }
  }

  begin(job: JobId): void {
    const entry = this.#entries.get(job);
    if (entry === undefined) throw new Error(`job ${String(job)} is not in the lock queue`);
    entry.begun = true;
  }

  /** The job has ended. Gives the jobs, smallest id first, that shared a lock with it and have not begun. */
  remove(job: JobId): readonly JobId[] {
    const entry = this.#entries.get(job);
    if (entry === undefined) return [];
    this.#entries.delete(job);
    const neighbours = new Set<JobId>();
    for (const lock of entry.locks) {
      const jobs = this.#jobsByLock.get(lock);
      jobs?.delete(job);
      if (jobs?.size === 0) this.#jobsByLock.delete(lock);
      for (const other of jobs ?? []) {
        if (this.#entries.get(other)?.begun === false) neighbours.add(other);
      }
    }
    return [...neighbours].sort((one, other) => one - other);
  }

  /** For each lock that the job cannot have yet: who has it or stands first in line. Empty: the job may begin. */
  waitingFor(job: JobId): readonly Waiting[] {
    const entry = this.#entries.get(job);
    if (entry === undefined || entry.begun) return [];
    return entry.locks.flatMap((lock) => {
      const first = this.#firstBefore(job, lock);
      return first === undefined ? [] : [{ lock, job: first }];
    });
  }

  #firstBefore(job: JobId, lock: string): JobId | undefined {
    let first: JobId | undefined;
    for (const other of this.#jobsByLock.get(lock) ?? []) {
      if (other === job) continue;
      if (this.#entries.get(other)?.begun === true) return other;
      if (other < job && (first === undefined || other < first)) first = other;
    }
    return first;
  }
}
