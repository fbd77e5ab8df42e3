import type { StoredEvent } from '../catalog/job-records.ts';
import type { JobError, JobStatus, JobView, StepState } from './mission.ts';

interface EventBase {
  /** From 1 within the job, without gaps. */
  readonly sequence: number;
  readonly at: Date;
}

/** The job went on to another phase, passed its point of no return, or was told to stop. */
export interface JobChangedEvent extends EventBase {
  readonly type: 'job';
  readonly status: JobStatus;
  /** `ended`: the last event of the job. */
  readonly phase: JobView['phase'];
  readonly progress: number;
  readonly cancelRequested: boolean;
  readonly cancellable: boolean;
  readonly error: JobError | null;
}

export interface StepChangedEvent extends EventBase {
  readonly type: 'step';
  readonly path: string;
  readonly title: string;
  readonly state: StepState;
  readonly attempt: number;
  readonly reason: string | null;
  /** Of the whole job, 0..100. */
  readonly progress: number;
}

export interface NoteEvent extends EventBase {
  readonly type: 'note';
  /** The step that made the remark. */
  readonly path: string;
  readonly text: string;
}

/** What happened to a job, in order; made durable together with the change that it tells of. */
export type JobEvent = JobChangedEvent | StepChangedEvent | NoteEvent;

type WithoutBase<Event> = Event extends JobEvent ? Omit<Event, keyof EventBase> : never;
export type JobEventBody = WithoutBase<JobEvent>;

export function storedEvent({ sequence, at, ...event }: JobEvent): StoredEvent {
  return { sequence, at, event };
}

export function eventOf({ sequence, at, event }: StoredEvent): JobEvent {
  // Written by storedEvent; the table belongs to the engine alone.
  return { sequence, at, ...(event as JobEventBody) };
}
