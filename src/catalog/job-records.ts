import { jobId, type JobId } from '../core/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { dateOf, oneOf } from './columns.ts';
import { numberOf, textOf, textOrNull, type SqlRow } from './sql.ts';

/** What the job tables hold, as the job engine reads and writes it (tables: migrations/0003_jobs.sql). */

const jobPhases = ['queued', 'forward', 'undoing', 'ended'] as const;
export type StoredJobPhase = (typeof jobPhases)[number];

const stepStates = [
  'waiting',
  'running',
  'done',
  'failed',
  'undoing',
  'undone',
  'undo_failed',
  'skipped',
] as const;
export type StoredStepState = (typeof stepStates)[number];

/** `cluster_general_job_log.status`. */
export type StoredJobStatus = 'not_started' | 'ongoing' | 'done' | 'failed';

export interface StoredJobError {
  readonly kind: string;
  readonly code: number;
  readonly message: string;
  readonly hint: string;
}

/** What never changes after submission. */
export interface SubmittedJob {
  readonly jobType: string;
  readonly userName: string;
  readonly locks: readonly string[];
  readonly sealedParas: string;
  readonly paras: JsonObject;
  readonly retryOf: JobId | null;
  readonly submittedAt: Date;
}

export interface NewJob extends SubmittedJob {
  /** The whole request without secrets, for `job_info`. */
  readonly request: Json;
  readonly idempotency: { readonly key: string; readonly digest: string } | undefined;
}

/** What changes as the job goes on. */
export interface JobProgress {
  readonly phase: StoredJobPhase;
  readonly cancelRequested: boolean;
  readonly pastPointOfNoReturn: boolean;
  readonly error: StoredJobError | null;
  readonly notes: readonly string[];
  readonly progress: number;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export interface StoredStep {
  readonly path: string;
  readonly title: string;
  readonly weight: number;
  readonly state: StoredStepState;
  readonly attempt: number;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly reason: string | null;
  readonly output: Json | undefined;
}

export interface StoredJob extends SubmittedJob, JobProgress {
  readonly id: JobId;
  readonly prepared: Json | undefined;
  readonly steps: readonly StoredStep[];
  /** Sequence of its latest event. */
  readonly lastSequence: number;
}

export interface StoredEvent {
  readonly sequence: number;
  readonly at: Date;
  /** Stored as JSON; what is in it is the engine's business. */
  readonly event: object;
}

function dateOrNull(row: SqlRow, column: string): Date | null {
  return textOrNull(row, column) === null ? null : dateOf(row, column);
}

function jsonOrUndefined(row: SqlRow, column: string): Json | undefined {
  const text = textOrNull(row, column);
  return text === null ? undefined : (JSON.parse(text) as Json);
}

function objectOf(row: SqlRow, column: string): JsonObject {
  const value = jsonOrUndefined(row, column);
  if (!isJsonObject(value)) throw new TypeError(`column ${column} holds no JSON object`);
  return value;
}

function textsOf(row: SqlRow, column: string): readonly string[] {
  const value = jsonOrUndefined(row, column);
  if (!Array.isArray(value)) throw new TypeError(`column ${column} holds no JSON array`);
  return value.map(String);
}

function errorOf(row: SqlRow): StoredJobError | null {
  if (textOrNull(row, 'error') === null) return null;
  const { kind, code, message, hint } = objectOf(row, 'error');
  const isError = typeof kind === 'string' && typeof code === 'number' && typeof message === 'string';
  if (!isError || typeof hint !== 'string') throw new TypeError('column error holds no error');
  return { kind, code, message, hint };
}

function idOrNull(row: SqlRow, column: string): JobId | null {
  return textOrNull(row, column) === null ? null : jobId(numberOf(row, column));
}

export function parseJobId(row: SqlRow): JobId {
  return jobId(numberOf(row, 'job_id'));
}

export function parseJob(row: SqlRow): StoredJob {
  return {
    id: parseJobId(row),
    jobType: textOf(row, 'job_type'),
    userName: textOf(row, 'user_name'),
    locks: textsOf(row, 'locks'),
    sealedParas: textOf(row, 'sealed_paras'),
    paras: objectOf(row, 'paras'),
    retryOf: idOrNull(row, 'retry_of'),
    submittedAt: dateOf(row, 'submitted_at'),
    phase: oneOf(row, 'phase', jobPhases),
    cancelRequested: numberOf(row, 'cancel_requested') !== 0,
    pastPointOfNoReturn: numberOf(row, 'past_point_of_no_return') !== 0,
    error: errorOf(row),
    notes: textsOf(row, 'notes'),
    progress: numberOf(row, 'progress'),
    startedAt: dateOrNull(row, 'started_at'),
    endedAt: dateOrNull(row, 'ended_at'),
    prepared: jsonOrUndefined(row, 'prepared'),
    lastSequence: numberOf(row, 'last_sequence'),
    steps: [],
  };
}

export function parseStep(row: SqlRow): { readonly job: JobId; readonly step: StoredStep } {
  const step: StoredStep = {
    path: textOf(row, 'path'),
    title: textOf(row, 'title'),
    weight: numberOf(row, 'weight'),
    state: oneOf(row, 'state', stepStates),
    attempt: numberOf(row, 'attempt'),
    startedAt: dateOrNull(row, 'started_at'),
    endedAt: dateOrNull(row, 'ended_at'),
    reason: textOrNull(row, 'reason'),
    output: jsonOrUndefined(row, 'output'),
  };
  return { job: parseJobId(row), step };
}

export function parseEvent(row: SqlRow): StoredEvent {
  return { sequence: numberOf(row, 'sequence'), at: dateOf(row, 'at'), event: objectOf(row, 'event') };
}
