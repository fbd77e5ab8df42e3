import type Type from 'typebox';
import type { JobId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';

/**
 * What a job does, as a tree. The tree of one job is a pure function of its parameters and of what `prepare` stored,
 * so after a crash it is built again and joined with the stored outputs by path.
 *
 * A step's `run` and `undo` are idempotent: a crash may repeat either. `undo` gets the output that `run` stored,
 * or `undefined` when `run` failed or never finished, and must then remove whatever `run` may have left.
 */
export type PlanNode<Services> = Step<Services> | Group<Services> | PointOfNoReturn;

export interface Step<Services, Output extends Json = Json> {
  readonly kind: 'step';
  /** Unique among its siblings; the path of keys from the root identifies the step: `[a-z0-9_.-]+`. */
  readonly key: string;
  /** In words, for people: "start storage node 10.0.0.1:57001". */
  readonly title: string;
  /** Share of the progress bar; 1 when absent. */
  readonly weight?: number;
  /** For one attempt of `run` or `undo`. */
  readonly deadlineMs: number;
  readonly retry?: RetryPolicy;
  run(context: StepContext<Services>): Promise<Output>;
  undo?(context: StepContext<Services>, output: Output | undefined): Promise<void>;
}

export interface Group<Services> {
  readonly kind: 'serial' | 'parallel';
  readonly key: string;
  readonly title: string;
  readonly steps: readonly PlanNode<Services>[];
}

/** After this place an error no longer undoes the job: what follows is repeated until it succeeds or gives up. */
export interface PointOfNoReturn {
  readonly kind: 'point_of_no_return';
}

/** Attempts for faults that pass. Only errors that `isPassing` accepts are retried (default: the engine's own list). */
export interface RetryPolicy {
  /** 1 = no retry. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maximumDelayMs: number;
  /** `attempts`: so many have failed, 1 after the first. */
  isPassing?(error: unknown, attempts: number): boolean;
}

export interface StepContext<Services> {
  readonly jobId: JobId;
  readonly services: Services;
  /** Aborted at the deadline, on cancel, and when this manager loses its office or stops. */
  readonly signal: AbortSignal;
  /** Path of this step. */
  readonly path: string;
  /** 1 on the first attempt. */
  readonly attempt: number;
  /** A place within the step at which tests let the process die: see `fault-points.ts`. */
  readonly faultPoint: (place: string) => void;
  /** A remark for the job's record and its watchers, e.g. a warning that the result shows. */
  note(text: string): Promise<void>;
  /** Output of a finished step of this job, checked against the schema. Throws when it has none. */
  outputOf<Schema extends Type.TSchema>(path: string, schema: Schema): Type.Static<Schema>;
}

export function serial<Services>(
  key: string,
  title: string,
  steps: readonly PlanNode<Services>[],
): Group<Services> {
  return { kind: 'serial', key, title, steps };
}

export function parallel<Services>(
  key: string,
  title: string,
  steps: readonly PlanNode<Services>[],
): Group<Services> {
  return { kind: 'parallel', key, title, steps };
}

export const pointOfNoReturn: PointOfNoReturn = { kind: 'point_of_no_return' };
