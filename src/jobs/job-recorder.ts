import { saveJob } from '../catalog/jobs.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { JsonObject } from '../core/json.ts';
import { sleep } from './deadline.ts';
import { isStaleEpoch, type JobEnvironment } from './environment.ts';
import type { JobFeed } from './job-feed.ts';
import type { JobState, TakenChanges } from './job-state.ts';
import type { Waiting } from './lock-queue.ts';
import type { JobView } from './mission.ts';
import { retryDelayMs } from './retry.ts';

/** The public memo is rewritten at most this often, so that a job with many steps does not rewrite it for each. */
const memoIntervalMs = 250;
/** While the metadata database cannot be written, jobs stand still and try again. */
const writeRetry = { attempts: Number.POSITIVE_INFINITY, firstDelayMs: 50, maximumDelayMs: 5000 };

type RecorderEnvironment = Pick<
  JobEnvironment<unknown>,
  'database' | 'logger' | 'stopping' | 'closed' | 'loseOffice'
>;

interface Recorded {
  readonly state: JobState;
  readonly feed: JobFeed;
  /** What `cluster_general_job_log.memo` says at present. */
  memo(): JsonObject;
}

/**
 * Makes the changes of one job durable. Changes that arrive while a transaction is under way go together into the
 * next one, so parallel steps share their writes; the order of events is the order of changes.
 */
export class JobRecorder {
  readonly #environment: RecorderEnvironment;
  readonly #recorded: Recorded;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #memoStale = true;
  #memoWrittenAt = Number.NEGATIVE_INFINITY;
  #memoTimer: NodeJS.Timeout | undefined;
  #view: JobView;

  constructor(environment: RecorderEnvironment, recorded: Recorded) {
    this.#environment = environment;
    this.#recorded = recorded;
    this.#view = recorded.state.view;
  }

  /**
   * The job as it is stored: what is shown to others does not become untrue when this process dies. The same object
   * until something changes.
   */
  get view(): JobView {
    return this.#view;
  }

  /** What a queued job waits for follows from the other jobs and is not stored. */
  showWaiting(waiting: readonly Waiting[]): void {
    const { state } = this.#recorded;
    if (!state.setWaitingFor(waiting)) return;
    this.#view = { ...this.#view, waitingFor: waiting };
  }

  /**
   * Resolves when everything that the state has become so far is stored. Waits as long as the metadata database
   * cannot be written; rejects with Interrupted when the engine is stopped or is not the leader's any more.
   */
  save(): Promise<void> {
    if (this.#next === undefined) {
      const start = () => {
        this.#next = undefined;
        this.#running = this.#flush();
        return this.#running;
      };
      // A save that failed was reported to those who waited for it; this one stands for itself.
      this.#next = this.#running.then(start, start);
    }
    return this.#next;
  }

  /** No more memo writes by themselves. */
  close(): void {
    clearTimeout(this.#memoTimer);
    this.#memoTimer = undefined;
    this.#memoStale = false;
  }

  async #flush(): Promise<void> {
    const taken = this.#recorded.state.takeChanges();
    if (taken !== undefined) this.#memoStale = true;
    const memo = this.#dueMemo();
    if (taken === undefined && memo === undefined) return;
    const stored = taken?.stored ?? { steps: [], events: [] };
    await this.#write(memo === undefined ? stored : { ...stored, memo });
    if (taken === undefined) return;
    this.#view = taken.view;
    this.#recorded.feed.publish(taken.events);
  }

  #dueMemo(): JsonObject | undefined {
    if (!this.#memoStale) return undefined;
    const wait = this.#memoWrittenAt + memoIntervalMs - performance.now();
    if (wait > 0 && this.#recorded.state.phase !== 'ended') {
      this.#memoTimer ??= setTimeout(() => this.#saveLater(), wait);
      return undefined;
    }
    this.close();
    this.#memoWrittenAt = performance.now();
    return this.#recorded.memo();
  }

  #saveLater(): void {
    this.#memoTimer = undefined;
    this.save().catch((error: unknown) => {
      // An interrupted engine writes nothing more; its successor writes the memo anew.
      if (!this.#environment.stopping.aborted) {
        this.#environment.logger.error(
          { job: this.#recorded.state.id, err: error },
          'memo of a job not written',
        );
      }
    });
  }

  async #write(changes: TakenChanges['stored']): Promise<void> {
    const { database, stopping, closed, logger, loseOffice } = this.#environment;
    const job = this.#recorded.state.id;
    for (let attempt = 1; ; attempt += 1) {
      closed.throwIfAborted();
      try {
        await database.write((sql) => saveJob(sql, job, changes), closed);
        return;
      } catch (error) {
        if (isStaleEpoch(error)) loseOffice(error);
        stopping.throwIfAborted();
        logger.warn(
          { job, attempt, reason: errorText(error) },
          'job stands still: its progress cannot be stored',
        );
      }
      await sleep(retryDelayMs(writeRetry, attempt, Math.random), stopping);
    }
  }
}
