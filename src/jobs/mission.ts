import type Type from 'typebox';
import type { Violation } from '../core/errors/kluster-error.ts';
import type { JobId } from '../core/ids.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { PlanNode, StepContext } from './plan.ts';

/** Job states as the API and `cluster_general_job_log.status` spell them. */
export type JobStatus = 'not_started' | 'ongoing' | 'done' | 'failed';

export type StepState =
  | 'waiting'
  | 'running'
  | 'done'
  | 'failed'
  | 'undoing'
  | 'undone'
  /** Undo failed: `error` names what may be left. */
  | 'undo_failed'
  | 'skipped';

export interface StepView {
  readonly path: string;
  readonly title: string;
  readonly state: StepState;
  readonly attempt: number;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly output: Json | undefined;
  /** Why it failed, or why it is being repeated. */
  readonly reason: string | null;
  readonly weight: number;
}

export interface JobError {
  /** Name in the error catalogue. */
  readonly kind: string;
  /** Wire code, 70000 + n. */
  readonly code: number;
  readonly message: string;
  readonly hint: string;
}

/** Everything that is known about one job. */
export interface JobView {
  readonly id: JobId;
  readonly jobType: string;
  readonly status: JobStatus;
  /** What the job is doing: waiting for its locks, going forward, undoing. */
  readonly phase: 'queued' | 'forward' | 'undoing' | 'ended';
  /** Parameters without secrets. */
  readonly paras: JsonObject;
  readonly prepared: Json | undefined;
  readonly userName: string;
  readonly submittedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** 0..100 */
  readonly progress: number;
  readonly cancelRequested: boolean;
  readonly cancellable: boolean;
  readonly waitingFor: readonly { readonly lock: string; readonly job: JobId }[];
  readonly steps: readonly StepView[];
  readonly notes: readonly string[];
  readonly error: JobError | null;
  /** The job this one repeats. */
  readonly retryOf: JobId | null;
}

/** What a mission learns from the catalog before a request becomes a job. */
export type Admission =
  | { readonly admitted: true; readonly locks: readonly string[] }
  | { readonly admitted: false; readonly violations: readonly [Violation, ...Violation[]] };

/**
 * One job type that changes something. Validation, OpenAPI and the command line derive from it.
 * `Paras` is the schema of `paras`; `Prepared` of what `prepare` decides once, under the job's locks, and stores.
 */
export interface Mission<
  Services,
  Paras extends Type.TObject = Type.TObject,
  Prepared extends Type.TSchema = Type.TSchema,
> {
  readonly jobType: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly paras: Paras;
  readonly prepared: Prepared;
  /** `paras` of a valid request. */
  readonly example: JsonObject;
  /** The error_info of a job that ended done. */
  readonly doneText: string;
  /** Rules that need the catalog or several fields; the names of the locks that the job will hold. */
  admit(services: Services, paras: Type.Static<Paras>): Promise<Admission>;
  /**
   * Jobs of all missions with the same name here prepare one after another: what one decides is stored, and so can be
   * read, before the next one looks. Absent: they prepare side by side.
   */
  readonly preparesUnder?: string;
  /** Reads and decides; may not change anything but through its own stored result. */
  prepare(context: StepContext<Services>, paras: Type.Static<Paras>): Promise<Type.Static<Prepared>>;
  plan(paras: Type.Static<Paras>, prepared: Type.Static<Prepared>): PlanNode<Services>;
  /** The attachment of get_status, while the job runs and at its end; null until there is something to tell. */
  attachment(job: JobView): JsonObject | null;
}

/** A mission whose parameter types are no longer known to the one who holds it. */
export type AnyMission<Services> = Mission<Services>;
/** Checked parameters of such a mission. */
export type AnyParas = Type.Static<Type.TObject>;

export function defineMission<Services>() {
  return <Paras extends Type.TObject, Prepared extends Type.TSchema>(
    mission: Mission<Services, Paras, Prepared>,
  ): Mission<Services, Paras, Prepared> => mission;
}
