import type {
  AnswerJson,
  ClusterJson,
  JobEventJson,
  JobJson,
  JobListJson,
  JobRequestJson,
  MachineJson,
  StatusJson,
} from '../core/rest-types.ts';

export interface JobListQuery {
  readonly limit?: number;
  readonly before?: number;
  readonly status?: string;
  readonly job_type?: string;
  readonly lock?: string;
}

/** What the command line asks of a manager; `src/client/manager.ts` has it. */
export interface ManagerApi {
  submit(
    request: JobRequestJson,
    options?: { readonly idempotencyKey?: string },
  ): Promise<JobJson | AnswerJson>;
  job(id: number): Promise<JobJson>;
  jobs(query?: JobListQuery): Promise<JobListJson>;
  cancel(id: number): Promise<JobJson>;
  /** The new job. */
  retry(id: number): Promise<JobJson>;
  /** Ends when the job has ended. */
  watch(id: number, options?: { readonly signal?: AbortSignal }): AsyncIterable<JobEventJson>;
  status(): Promise<StatusJson>;
  machines(): Promise<readonly MachineJson[]>;
  clusters(): Promise<readonly ClusterJson[]>;
}
