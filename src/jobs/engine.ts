import type { Logger } from 'pino';
import type { MetadataDatabase } from '../catalog/database.ts';
import {
  eventsAfter,
  latestRetryOf,
  listJobs,
  loadJobs,
  requestOf,
  unfinishedJobs,
} from '../catalog/jobs.ts';
import type { StoredJob } from '../catalog/job-records.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { JobId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { unseal } from '../core/seal.ts';
import { sharedAbort } from '../core/shared-abort.ts';
import { sleep } from './deadline.ts';
import type { JobDirectory, JobEventOptions, JobQuery, JobSubmission } from './directory.ts';
import { EndedViews } from './ended-views.ts';
import { isStaleEpoch, type JobEnvironment } from './environment.ts';
import { faultPointsOf, type FaultPoint } from './fault-points.ts';
import { Interrupted } from './interrupted.ts';
import { eventOf, type JobEvent } from './job-event.ts';
import { JobState } from './job-state.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import type { AnyMission, JobView } from './mission.ts';
import { MissionRegistry } from './mission-registry.ts';
import type { RetryPolicy } from './plan.ts';
import { repeat } from './repeat.ts';
import { forwardOnlyRetry, startRetry } from './retry.ts';
import { Scheduler } from './scheduler.ts';
import { submitJob } from './submission.ts';

export interface JobEngineOptions<Services> {
  /** Open, and in office before `start`. */
  readonly database: MetadataDatabase;
  readonly services: Services;
  readonly missions: Iterable<AnyMission<Services>>;
  /** The installation's secret; seals the parameters of jobs. */
  readonly secret: string;
  readonly logger: Logger;
  /** Jobs that run at the same time; the others wait. Default 32. */
  readonly concurrency?: number;
  /** Called once when another manager turns out to lead; the engine has stopped itself then. */
  readonly onLostOffice?: () => void;
  /** Default: what the environment asks for (see fault-points.ts), normally nothing. */
  readonly faultPoint?: FaultPoint;
  /** For steps past the point of no return. */
  readonly forwardOnlyRetry?: RetryPolicy;
  /** How often to look for jobs whose submission was committed although its answer was lost. Default 15 s. */
  readonly safetyPollMs?: number;
}

const defaultConcurrency = 32;
const endedViewsKept = 1000;
const defaultSafetyPollMs = 15_000;
/** How long `stop` waits for running steps; a little longer than a step's own notice period. */
const stopDeadlineMs = 12_000;
/** Between looks at an unfinished job that the scheduler does not hold yet. */
const adoptionMs = 500;
const eventPage = 500;
const loadBatch = 100;

/** The job engine of one manager: takes requests, runs their plans to the end, tells what they do. */
export class JobEngine<Services> implements JobDirectory {
  readonly #options: JobEngineOptions<Services>;
  readonly #missions: MissionRegistry<Services>;
  readonly #environment: JobEnvironment<Services>;
  readonly #scheduler: Scheduler<Services>;
  readonly #ended = new EndedViews(endedViewsKept);
  readonly #submissions = new KeyedMutex();
  readonly #stopping = sharedAbort();
  readonly #closed = sharedAbort();
  #started = false;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: JobEngineOptions<Services>) {
    this.#options = options;
    this.#missions = new MissionRegistry(options.missions);
    this.#environment = {
      database: options.database,
      services: options.services,
      secret: options.secret,
      logger: options.logger,
      faultPoint: options.faultPoint ?? faultPointsOf(process.env),
      preparations: new KeyedMutex(),
      forwardOnlyRetry: options.forwardOnlyRetry ?? forwardOnlyRetry,
      stopping: this.#stopping.signal,
      closed: this.#closed.signal,
      loseOffice: (sign) => this.#loseOffice(sign),
    };
    this.#scheduler = new Scheduler({
      environment: this.#environment,
      missions: this.#missions,
      concurrency: options.concurrency ?? defaultConcurrency,
      onEnded: (view) => this.#ended.set(view),
    });
  }

  /** Resumes the unfinished jobs of former leaders, in the order of their ids, and takes requests from now on. */
  async start(): Promise<void> {
    if (this.#started) throw new Error('a job engine starts only once');
    if (this.#options.database.epoch === undefined) {
      throw new KlusterError('not_leader', 'the job engine cannot start: this manager has not taken office');
    }
    await repeat(
      {
        policy: startRetry,
        signal: this.#stopping.signal,
        isFinal: isStaleEpoch,
        beforeWait: async (error) => {
          this.#options.logger.warn({ reason: errorText(error) }, 'unfinished jobs could not be read; again');
          return Promise.resolve();
        },
      },
      () => this.#adoptUnknown(),
    );
    this.#started = true;
    this.#poll = setInterval(() => this.#pollSafely(), this.#options.safetyPollMs ?? defaultSafetyPollMs);
    this.#poll.unref();
  }

  /** Running steps are told to stop and waited for; their jobs stay resumable. */
  async stop(): Promise<void> {
    clearInterval(this.#poll);
    this.#stopping.abort(new Interrupted('stopped'));
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), stopDeadlineMs);
    });
    const outcome = await Promise.race([this.#scheduler.idle(), deadline]);
    clearTimeout(timer);
    if (outcome === 'late')
      this.#options.logger.warn('steps of jobs did not stop in time and are left behind');
    this.#closed.abort(this.#stopping.signal.reason);
    this.#scheduler.close();
  }

  /**
   * Makes a request a job. Throws `unknown_job_type`, `invalid_parameters` with every violation, `idempotency_conflict`,
   * `not_leader`, `metadata`; nothing was changed then.
   */
  async submit(submission: JobSubmission): Promise<JobId> {
    this.#requireOffice();
    const mission = this.#missions.get(submission.jobType);
    const submit = async () => {
      const { id, job } = await submitJob(this.#environment, mission, submission);
      if (job !== undefined && !this.#stopping.signal.aborted) this.#scheduler.adopt([job]);
      return id;
    };
    const { idempotencyKey } = submission;
    try {
      return await (idempotencyKey === undefined
        ? submit()
        : this.#submissions.run(`key ${idempotencyKey}`, submit));
    } catch (error) {
      if (isStaleEpoch(error)) this.#loseOffice(error);
      throw error;
    }
  }

  /** The job as it is stored; the same object until it changes, so that what is made of it can be kept. */
  async get(id: JobId): Promise<JobView | undefined> {
    return this.#viewInMemory(id) ?? (await this.#loadViews([id])).get(id);
  }

  /** Newest first. */
  async list(filter: JobQuery): Promise<readonly JobView[]> {
    const ids = await this.#options.database.read((sql) => listJobs(sql, filter));
    const loaded = await this.#loadViews(ids.filter((id) => this.#viewInMemory(id) === undefined));
    return ids.flatMap((id) => this.#viewInMemory(id) ?? loaded.get(id) ?? []);
  }

  /**
   * Ends a queued job at once; a running one stops what it does and undoes itself. Resolves when the wish is stored.
   * Throws `job_not_found`, `job_not_cancellable`.
   */
  async cancel(id: JobId): Promise<void> {
    this.#requireOffice();
    await this.#existing(id);
    await this.#scheduler.cancel(id);
  }

  /**
   * Submits a failed job again with its original parameters. While an earlier repetition of it goes on, or when one
   * succeeded, gives that one. Throws `job_not_found`, `job_not_retryable`, and what `submit` throws.
   */
  async retry(id: JobId): Promise<JobId> {
    this.#requireOffice();
    return await this.#submissions.run(`retry ${String(id)}`, async () => {
      const view = await this.#existing(id);
      if (view.status !== 'failed') {
        throw new KlusterError('job_not_retryable', `job ${String(id)} is ${view.status}, not failed`);
      }
      const repeated = await this.#liveRetryOf(id);
      return repeated ?? (await this.submit(await this.#submissionOf(id)));
    });
  }

  /** Everything that happened to the job after the given event, then what happens, until the job has ended. */
  async *events(id: JobId, { after = 0, signal }: JobEventOptions): AsyncGenerator<JobEvent, void> {
    await this.#existing(id);
    let sequence = after;
    while (!signal.aborted) {
      // The feed first: what happens while the history is read is found in the next round.
      const feed = this.#scheduler.feed(id);
      const page = feed?.after(sequence) ?? (await this.#readEvents(id, sequence));
      for (const event of page) {
        yield event;
        sequence = event.sequence;
        if (event.type === 'job' && event.phase === 'ended') return;
      }
      if (page.length > 0) continue;
      if (feed === undefined || feed.closed) return;
      await feed.changed(signal);
    }
  }

  /** The job when it has ended. Throws `job_not_found`, the signal's reason, or Interrupted when the engine stops. */
  async waitFor(id: JobId, signal: AbortSignal): Promise<JobView> {
    for (;;) {
      const view = await this.#existing(id);
      if (view.phase === 'ended') return view;
      const feed = this.#scheduler.feed(id);
      signal.throwIfAborted();
      this.#stopping.signal.throwIfAborted();
      if (feed === undefined) await sleep(adoptionMs, signal);
      else if (this.#viewInMemory(id) === view) await feed.changed(signal);
    }
  }

  #requireOffice(): void {
    if (this.#started && !this.#stopping.signal.aborted) return;
    throw new KlusterError('not_leader', 'the job engine of this manager does not run');
  }

  #viewInMemory(id: JobId): JobView | undefined {
    // Out of office, somebody else changes the jobs.
    const active = this.#closed.signal.aborted ? undefined : this.#scheduler.view(id);
    return active ?? this.#ended.get(id);
  }

  async #existing(id: JobId): Promise<JobView> {
    const view = await this.get(id);
    if (view === undefined) throw new KlusterError('job_not_found', `there is no job with id ${String(id)}`);
    return view;
  }

  async #load(ids: readonly JobId[]): Promise<readonly StoredJob[]> {
    return ids.length === 0 ? [] : await this.#options.database.read((sql) => loadJobs(sql, ids));
  }

  async #loadViews(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, JobView>> {
    const views = (await this.#load(ids)).map((job) => new JobState(job).view);
    for (const view of views) if (view.phase === 'ended') this.#ended.set(view);
    return new Map(views.map((view) => [view.id, view]));
  }

  async #readEvents(id: JobId, after: number): Promise<readonly JobEvent[]> {
    const page = { after, limit: eventPage };
    const stored = await this.#options.database.read((sql) => eventsAfter(sql, id, page));
    return stored.map(eventOf);
  }

  async #liveRetryOf(id: JobId): Promise<JobId | undefined> {
    const latest = await this.#options.database.read((sql) => latestRetryOf(sql, id));
    const view = latest === undefined ? undefined : await this.get(latest);
    return view === undefined || view.status === 'failed' ? undefined : latest;
  }

  async #submissionOf(id: JobId): Promise<JobSubmission> {
    const [job] = await this.#load([id]);
    if (job === undefined) throw new KlusterError('job_not_found', `there is no job with id ${String(id)}`);
    const paras = unseal(this.#options.secret, 'job-parameters', job.sealedParas);
    const request = await this.#options.database.read((sql) => requestOf(sql, id));
    return {
      jobType: job.jobType,
      paras: JSON.parse(paras) as Json,
      request: request ?? {},
      userName: job.userName,
      retryOf: id,
    };
  }

  async #adoptUnknown(): Promise<void> {
    const { database } = this.#options;
    const ids = await database.read(unfinishedJobs);
    const unknown = ids.filter((id) => !this.#scheduler.has(id));
    const jobs: StoredJob[] = [];
    for (let start = 0; start < unknown.length; start += loadBatch) {
      jobs.push(...(await this.#load(unknown.slice(start, start + loadBatch))));
    }
    // While they were read some may have ended, here and now.
    this.#scheduler.adopt(jobs.filter(({ id, phase }) => phase !== 'ended' && !this.#ended.has(id)));
  }

  #pollSafely(): void {
    this.#adoptUnknown().catch((error: unknown) => {
      if (this.#stopping.signal.aborted) return;
      this.#options.logger.warn({ reason: errorText(error) }, 'unfinished jobs could not be looked for');
    });
  }

  #loseOffice(sign: unknown): void {
    if (this.#closed.signal.aborted) return;
    this.#options.logger.warn({ reason: errorText(sign) }, 'another manager leads; the job engine stops');
    clearInterval(this.#poll);
    const reason = new Interrupted('lost_office');
    this.#stopping.abort(reason);
    this.#closed.abort(reason);
    this.#scheduler.close();
    this.#options.onLostOffice?.();
  }
}
