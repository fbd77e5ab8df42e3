import { KlusterError, violationsError } from '../../src/core/errors/kluster-error.ts';
import { jobId, type JobId } from '../../src/core/ids.ts';
import { isJsonObject } from '../../src/core/json.ts';
import { parseParameters, redactSecrets } from '../../src/core/parameters/parse.ts';
import type {
  JobDirectory,
  JobEventBase,
  JobEventOptions,
  JobQuery,
  JobSubmission,
} from '../../src/jobs/directory.ts';
import type { AnyMission, JobView } from '../../src/jobs/mission.ts';

interface Watched {
  view: JobView;
  readonly events: JobEventBase[];
  readonly wake: Set<() => void>;
}

/**
 * Jobs that only exist in memory and move when the test says so: for the rules of the transport, which do not depend
 * on how a job is carried out.
 */
export class JobStub implements JobDirectory {
  readonly submissions: JobSubmission[] = [];
  private readonly missions: readonly AnyMission<unknown>[];
  private readonly jobs = new Map<number, Watched>();
  private readonly keys = new Map<string, JobId>();

  constructor(missions: readonly AnyMission<unknown>[]) {
    this.missions = missions;
  }

  async submit(submission: JobSubmission): Promise<JobId> {
    const known =
      submission.idempotencyKey === undefined ? undefined : this.keys.get(submission.idempotencyKey);
    if (known !== undefined) return known;
    const mission = this.missions.find(({ jobType }) => jobType === submission.jobType);
    if (mission === undefined) throw new KlusterError('unknown_job_type', submission.jobType);
    const parsed = parseParameters(mission.paras, submission.paras);
    if (!parsed.ok) throw violationsError(parsed.violations);
    this.submissions.push(submission);
    const id = jobId(this.jobs.size + 1);
    const paras = redactSecrets(mission.paras, submission.paras);
    this.jobs.set(id, {
      view: queuedJob(id, submission, isJsonObject(paras) ? paras : {}),
      events: [],
      wake: new Set(),
    });
    if (submission.idempotencyKey !== undefined) this.keys.set(submission.idempotencyKey, id);
    return id;
  }

  async get(id: JobId): Promise<JobView | undefined> {
    return this.jobs.get(id)?.view;
  }

  async list(query: JobQuery): Promise<readonly JobView[]> {
    return [...this.jobs.values()]
      .map(({ view }) => view)
      .filter((view) => query.before === undefined || view.id < query.before)
      .filter((view) => query.status === undefined || view.status === query.status)
      .filter((view) => query.jobType === undefined || view.jobType === query.jobType)
      .sort((one, other) => other.id - one.id)
      .slice(0, query.limit);
  }

  async cancel(id: JobId): Promise<void> {
    if (this.watched(id).view.phase === 'ended') {
      throw new KlusterError('job_not_cancellable', `Job ${String(id)} has ended`);
    }
    this.fail(id, new KlusterError('job_cancelled', `Job ${String(id)} was cancelled`));
  }

  async retry(id: JobId): Promise<JobId> {
    const { view } = this.watched(id);
    if (view.status !== 'failed')
      throw new KlusterError('job_not_retryable', `Job ${String(id)} did not fail`);
    const { jobType, paras, userName } = view;
    return this.submit({ jobType, paras, request: paras, userName, retryOf: id });
  }

  async *events(id: JobId, { after = 0, signal }: JobEventOptions): AsyncGenerator<JobEventBase> {
    const watched = this.watched(id);
    let next = 0;
    for (;;) {
      for (; next < watched.events.length; next += 1) {
        const event = watched.events[next];
        if (event !== undefined && event.sequence > after) yield event;
      }
      if (watched.view.phase === 'ended' || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          watched.wake.delete(wake);
          resolve();
        };
        watched.wake.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /** Changes the view, as the engine does: a new object each time. */
  change(id: number, change: Partial<JobView>): void {
    const watched = this.watched(id);
    watched.view = { ...watched.view, ...change };
    const { status, phase, progress } = watched.view;
    const event = {
      sequence: watched.events.length + 1,
      at: new Date(),
      type: 'job',
      status,
      phase,
      progress,
    };
    watched.events.push(event);
    for (const wake of watched.wake) wake();
  }

  finish(id: number): void {
    this.change(id, { status: 'done', phase: 'ended', progress: 100, endedAt: new Date() });
  }

  fail(id: number, { kind, code, message, hint }: KlusterError): void {
    const error = { kind, code, message, hint };
    this.change(id, { status: 'failed', phase: 'ended', endedAt: new Date(), error });
  }

  private watched(id: number): Watched {
    const watched = this.jobs.get(id);
    if (watched === undefined) throw new KlusterError('job_not_found', `There is no job ${String(id)}`);
    return watched;
  }
}

function queuedJob(id: JobId, submission: JobSubmission, paras: JobView['paras']): JobView {
  return {
    id,
    jobType: submission.jobType,
    status: 'not_started',
    phase: 'queued',
    paras,
    prepared: undefined,
    userName: submission.userName,
    submittedAt: new Date(),
    startedAt: null,
    endedAt: null,
    progress: 0,
    cancelRequested: false,
    cancellable: true,
    waitingFor: [],
    steps: [],
    notes: [],
    error: null,
    retryOf: submission.retryOf ?? null,
  };
}
