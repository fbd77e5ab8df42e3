import type { JobId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import type { JobStatus, JobView } from './mission.ts';

/** What the interfaces to people and programs need of the job engine. */
export interface JobDirectory {
  /** Validates, admits and records a request. Throws every broken rule at once; nothing is changed then. */
  submit(submission: JobSubmission): Promise<JobId>;
  get(id: JobId): Promise<JobView | undefined>;
  /** Newest first. */
  list(query: JobQuery): Promise<readonly JobView[]>;
  /** Throws job_not_found, job_not_cancellable. */
  cancel(id: JobId): Promise<unknown>;
  /** The id of the new job. Throws job_not_found, job_not_retryable. */
  retry(id: JobId): Promise<JobId>;
  /** What happened so far, then what happens, until the job has ended. */
  events(id: JobId, options: JobEventOptions): AsyncIterable<JobEventBase>;
}

export interface JobSubmission {
  readonly jobType: string;
  /** As the client sent it. */
  readonly paras: Json | undefined;
  /** The whole request, for the job's public record. */
  readonly request: Json;
  readonly userName: string;
  readonly idempotencyKey?: string;
  readonly retryOf?: JobId;
}

export interface JobQuery {
  readonly limit: number;
  /** Only jobs with a smaller id. */
  readonly before?: JobId;
  readonly status?: JobStatus;
  readonly jobType?: string;
  /** Only jobs that hold or wait for this lock, e.g. `cluster:7`. */
  readonly lock?: string;
}

export interface JobEventOptions {
  /** Only events with a greater sequence number. */
  readonly after?: number;
  readonly signal: AbortSignal;
}

/** One change of one job; `sequence` grows within the job. */
export interface JobEventBase {
  readonly sequence: number;
  readonly at: Date | string;
  readonly type: string;
}
