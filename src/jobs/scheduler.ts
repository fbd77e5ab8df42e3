import type { StoredJob } from '../catalog/job-records.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { JobId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { unseal } from '../core/seal.ts';
import type { JobEnvironment } from './environment.ts';
import { Interrupted } from './interrupted.ts';
import { JobFeed } from './job-feed.ts';
import { JobRecorder } from './job-recorder.ts';
import { cancelledError, jobErrorOf, JobRun } from './job-run.ts';
import { JobState } from './job-state.ts';
import { LockQueue } from './lock-queue.ts';
import { memoOf } from './memo.ts';
import type { AnyMission, AnyParas, JobView } from './mission.ts';
import type { MissionRegistry } from './mission-registry.ts';
import { maskerOf, secretValues } from './secrets.ts';

/** One unfinished job of this manager. */
interface ActiveJob<Services> {
  readonly state: JobState;
  readonly feed: JobFeed;
  readonly recorder: JobRecorder;
  readonly mission: AnyMission<Services> | undefined;
  run: JobRun<Services> | undefined;
  /** Settles, always without an error, when the job runs no more. */
  task: Promise<void> | undefined;
}

interface SchedulerOptions<Services> {
  readonly environment: JobEnvironment<Services>;
  readonly missions: MissionRegistry<Services>;
  /** Jobs that run at the same time. */
  readonly concurrency: number;
  /** Is told of each job that has ended, when that is stored. */
  onEnded(view: JobView): void;
}

/** Holds the unfinished jobs and starts each as soon as its locks and a place are free. */
export class Scheduler<Services> {
  readonly #options: SchedulerOptions<Services>;
  readonly #jobs = new Map<JobId, ActiveJob<Services>>();
  readonly #locks = new LockQueue();
  /** Jobs that have their locks and wait for a place. */
  readonly #ready: JobId[] = [];
  #running = 0;

  constructor(options: SchedulerOptions<Services>) {
    this.#options = options;
  }

  /** The stored state of an unfinished job; undefined for any other. */
  view(job: JobId): JobView | undefined {
    return this.#jobs.get(job)?.recorder.view;
  }

  feed(job: JobId): JobFeed | undefined {
    return this.#jobs.get(job)?.feed;
  }

  has(job: JobId): boolean {
    return this.#jobs.has(job);
  }

  /** Takes over unfinished jobs and starts what can be started; those that a former leader had begun come first. */
  adopt(jobs: readonly StoredJob[]): void {
    const added = jobs.filter(({ id }) => !this.#jobs.has(id)).map((job) => this.#add(job));
    const begun = added.filter(({ state }) => state.phase !== 'queued');
    this.#ready.push(...begun.map(({ state }) => state.id));
    for (const { state } of added) if (state.phase === 'queued') this.#consider(state.id);
    this.#pump();
  }

  /** Throws `job_not_cancellable`. Resolves when the wish is stored; a queued job has ended then. */
  async cancel(id: JobId): Promise<void> {
    const job = this.#jobs.get(id);
    if (job === undefined) throw notCancellable(id, 'has ended');
    const { state, recorder, run } = job;
    if (!state.cancelRequested) {
      if (!state.cancellable) throw notCancellable(id, whyNot(state));
      if (state.phase !== 'queued' && run === undefined) {
        throw notCancellable(id, 'cannot be run by this manager, so it cannot be undone by it either');
      }
      const error = cancelledError(id);
      state.requestCancel();
      if (state.phase === 'queued') state.end(jobErrorOf(error, String));
      else run?.cancel(error);
    }
    await recorder.save();
    if (run === undefined && state.phase === 'ended') this.#finish(job);
  }

  /** Resolves when nothing runs any more; to be called when the environment's `stopping` was aborted. */
  async idle(): Promise<void> {
    await Promise.all([...this.#jobs.values()].flatMap(({ task }) => (task === undefined ? [] : [task])));
  }

  /** Ends the streams of those who watch. */
  close(): void {
    for (const { feed, recorder } of this.#jobs.values()) {
      feed.close();
      recorder.close();
    }
  }

  #add(job: StoredJob): ActiveJob<Services> {
    const { environment, missions } = this.#options;
    const state = new JobState(job);
    const feed = new JobFeed(state.lastSequence);
    const mission = missions.find(state.jobType);
    const memo = () => memoOf(state.view, mission, environment.logger);
    const recorder = new JobRecorder(environment, { state, feed, memo });
    const active = { state, feed, recorder, mission, run: undefined, task: undefined };
    this.#jobs.set(state.id, active);
    this.#locks.add(state.id, state.locks, state.phase !== 'queued');
    return active;
  }

  #consider(id: JobId): void {
    const waiting = this.#locks.waitingFor(id);
    this.#jobs.get(id)?.recorder.showWaiting(waiting);
    if (waiting.length === 0) this.#ready.push(id);
  }

  #pump(): void {
    const { environment, concurrency } = this.#options;
    while (this.#running < concurrency && !environment.stopping.aborted) {
      const id = this.#ready.shift();
      if (id === undefined) return;
      const job = this.#jobs.get(id);
      const isStartable = job !== undefined && job.task === undefined && job.state.phase !== 'ended';
      // A job with a smaller id may have come in between; it is considered again when that one has ended.
      if (isStartable && this.#locks.waitingFor(id).length === 0) this.#begin(job);
    }
  }

  #begin(job: ActiveJob<Services>): void {
    const { environment } = this.#options;
    const { state, mission } = job;
    if (mission === undefined) {
      // Its locks stay taken: what it has made so far is neither finished nor removed.
      environment.logger.error(
        { job: state.id, jobType: state.jobType },
        'job of an unknown type is left as it is',
      );
      return;
    }
    this.#locks.begin(state.id);
    this.#running += 1;
    job.task = this.#runToEnd(job, mission);
  }

  async #runToEnd(job: ActiveJob<Services>, mission: AnyMission<Services>): Promise<void> {
    const { environment } = this.#options;
    const { state, recorder } = job;
    try {
      const paras = this.#openParas(state);
      const mask = maskerOf(secretValues(mission.paras, paras as JsonObject));
      job.run = new JobRun(environment, mission, paras, { state, recorder, mask });
      await job.run.toEnd();
      this.#finish(job);
      environment.faultPoint(`${state.jobType}:end:after-store`);
    } catch (error) {
      const details = { job: state.id, reason: errorText(error) };
      if (error instanceof Interrupted) environment.logger.info(details, 'job interrupted, to be resumed');
      else environment.logger.error(details, 'job set aside by a fault of the engine until the next start');
    } finally {
      this.#running -= 1;
      this.#pump();
    }
  }

  #openParas({ sealedParas }: JobState): AnyParas {
    return JSON.parse(unseal(this.#options.environment.secret, 'job-parameters', sealedParas)) as AnyParas;
  }

  #finish({ state, recorder, feed }: ActiveJob<Services>): void {
    if (!this.#jobs.has(state.id)) return;
    this.#options.onEnded(recorder.view);
    this.#jobs.delete(state.id);
    recorder.close();
    feed.close();
    for (const neighbour of this.#locks.remove(state.id)) this.#consider(neighbour);
    this.#pump();
  }
}

function whyNot(state: JobState): string {
  if (state.phase === 'ended') return 'has ended';
  if (state.phase === 'undoing') return 'is being undone already';
  return 'is past its point of no return and only goes forward';
}

function notCancellable(id: JobId, why: string): KlusterError {
  return new KlusterError('job_not_cancellable', `job ${String(id)} ${why}`);
}
