import type { JobChanges } from '../catalog/jobs.ts';
import type { StoredJob, StoredStep } from '../catalog/job-records.ts';
import type { JobId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { storedEvent, type JobEvent, type JobEventBody } from './job-event.ts';
import type { Waiting } from './lock-queue.ts';
import type { JobError, JobStatus, JobView, StepState, StepView } from './mission.ts';
import { progressOf } from './progress.ts';

/** What became of the job since its changes were last taken. */
export interface TakenChanges {
  readonly stored: JobChanges;
  readonly events: readonly JobEvent[];
  /** The job with these changes and none after them. */
  readonly view: JobView;
}

/** A job's remarks are for people to read; a mission that makes more is broken. */
const maximumNotes = 200;
const maximumNoteLength = 2000;

function waitingStep(step: Pick<StepView, 'path' | 'title' | 'weight'>): StepView {
  return {
    ...step,
    state: 'waiting',
    attempt: 0,
    startedAt: null,
    endedAt: null,
    output: undefined,
    reason: null,
  };
}

/**
 * One job in memory: what is known of it, the transitions it can make, and which of its parts are newer than the
 * database. Every method is synchronous, so what belongs together is never seen or stored apart. `view` gives the
 * same object until something changes.
 */
export class JobState {
  readonly id: JobId;
  readonly jobType: string;
  readonly locks: readonly string[];
  readonly sealedParas: string;
  readonly #job: StoredJob;
  readonly #steps = new Map<string, StepView>();
  #phase: JobView['phase'];
  #prepared: Json | undefined;
  #error: JobError | null;
  #notes: readonly string[];
  #cancelRequested: boolean;
  #pastPointOfNoReturn: boolean;
  #startedAt: Date | null;
  #endedAt: Date | null;
  #waitingFor: readonly Waiting[] = [];
  #sequence: number;
  #view: JobView | undefined;

  #jobChanged = false;
  #planChanged = false;
  readonly #changedSteps = new Set<string>();
  readonly #newOutputs = new Set<string>();
  #newEvents: JobEvent[] = [];

  constructor(job: StoredJob) {
    this.#job = job;
    this.id = job.id;
    this.jobType = job.jobType;
    this.locks = job.locks;
    this.sealedParas = job.sealedParas;
    this.#phase = job.phase;
    this.#prepared = job.prepared;
    this.#error = job.error;
    this.#notes = job.notes;
    this.#cancelRequested = job.cancelRequested;
    this.#pastPointOfNoReturn = job.pastPointOfNoReturn;
    this.#startedAt = job.startedAt;
    this.#endedAt = job.endedAt;
    this.#sequence = job.lastSequence;
    for (const step of job.steps) this.#steps.set(step.path, step);
  }

  get phase(): JobView['phase'] {
    return this.#phase;
  }

  get status(): JobStatus {
    if (this.#phase === 'queued') return 'not_started';
    if (this.#phase !== 'ended') return 'ongoing';
    return this.#error === null ? 'done' : 'failed';
  }

  get prepared(): Json | undefined {
    return this.#prepared;
  }

  get error(): JobError | null {
    return this.#error;
  }

  get cancelRequested(): boolean {
    return this.#cancelRequested;
  }

  get pastPointOfNoReturn(): boolean {
    return this.#pastPointOfNoReturn;
  }

  get cancellable(): boolean {
    return (
      (this.#phase === 'queued' || this.#phase === 'forward') &&
      !this.#cancelRequested &&
      !this.#pastPointOfNoReturn
    );
  }

  get lastSequence(): number {
    return this.#sequence;
  }

  get steps(): Iterable<StepView> {
    return this.#steps.values();
  }

  /** Throws when the plan has no step with this path. */
  step(path: string): StepView {
    const step = this.#steps.get(path);
    if (step === undefined) throw new Error(`job ${String(this.id)} has no step ${path}`);
    return step;
  }

  findStep(path: string): StepView | undefined {
    return this.#steps.get(path);
  }

  get view(): JobView {
    this.#view ??= {
      id: this.id,
      jobType: this.jobType,
      status: this.status,
      phase: this.#phase,
      paras: this.#job.paras,
      prepared: this.#prepared,
      userName: this.#job.userName,
      submittedAt: this.#job.submittedAt,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      progress: this.#progress(),
      cancelRequested: this.#cancelRequested,
      cancellable: this.cancellable,
      waitingFor: this.#waitingFor,
      steps: [...this.#steps.values()],
      notes: this.#notes,
      error: this.#error,
      retryOf: this.#job.retryOf,
    };
    return this.#view;
  }

  /** Whether that is news. */
  setWaitingFor(waiting: readonly Waiting[]): boolean {
    const isSame = (one: Waiting, index: number) => {
      const other = this.#waitingFor[index];
      return one.lock === other?.lock && one.job === other.job;
    };
    if (waiting.length === this.#waitingFor.length && waiting.every(isSame)) return false;
    this.#waitingFor = waiting;
    this.#view = undefined;
    return true;
  }

  begin(): void {
    this.#phase = 'forward';
    this.#startedAt = new Date();
    this.#waitingFor = [];
    this.#changeJob();
  }

  setPlan(prepared: Json, steps: readonly Pick<StepView, 'path' | 'title' | 'weight'>[]): void {
    this.#prepared = prepared;
    for (const step of steps) this.#steps.set(step.path, waitingStep(step));
    this.#planChanged = true;
    this.#view = undefined;
  }

  stepStarted(path: string): number {
    const { attempt, startedAt } = this.step(path);
    this.#changeStep(path, {
      state: 'running',
      attempt: attempt + 1,
      startedAt: startedAt ?? new Date(),
      endedAt: null,
    });
    return attempt + 1;
  }

  /** An attempt failed and there will be another: why, for those who watch. */
  stepRepeats(path: string, reason: string): void {
    this.#changeStep(path, { reason });
  }

  stepDone(path: string, output: Json): void {
    this.#newOutputs.add(path);
    this.#changeStep(path, { state: 'done', endedAt: new Date(), output, reason: null });
  }

  stepFailed(path: string, reason: string): void {
    this.#changeStep(path, { state: 'failed', endedAt: new Date(), reason });
  }

  /** Keeps the reason: why the step failed is worth knowing after it was undone. */
  stepUndoing(path: string): void {
    this.#changeStep(path, { state: 'undoing' });
  }

  stepUndone(path: string): void {
    this.#changeStep(path, { state: 'undone', endedAt: new Date() });
  }

  stepUndoFailed(path: string, reason: string): void {
    const before = this.step(path).reason;
    const whole = before === null ? reason : `${before}; undo: ${reason}`;
    this.#changeStep(path, { state: 'undo_failed', endedAt: new Date(), reason: whole });
  }

  requestCancel(): void {
    this.#cancelRequested = true;
    this.#changeJob();
  }

  passPointOfNoReturn(): void {
    this.#pastPointOfNoReturn = true;
    this.#changeJob();
  }

  beginUndo(error: JobError): void {
    this.#phase = 'undoing';
    this.#error = error;
    this.#changeJob();
  }

  /** Terminal: with an error failed, without one done. */
  end(error: JobError | null): void {
    for (const { path, state } of this.#steps.values()) {
      if (state === 'waiting') this.#changeStep(path, { state: 'skipped' });
    }
    this.#phase = 'ended';
    this.#error = error;
    this.#endedAt = new Date();
    this.#waitingFor = [];
    this.#changeJob();
  }

  /** A remark that was made before, e.g. by a step that runs again after a crash, is not repeated. */
  addNote(path: string, text: string): void {
    const note = text.slice(0, maximumNoteLength);
    if (this.#notes.includes(note) || this.#notes.length >= maximumNotes) return;
    this.#notes = [...this.#notes, note];
    this.#jobChanged = true;
    this.#view = undefined;
    this.#record({ type: 'note', path, text: note });
  }

  /** What is to be stored now; undefined when the database knows everything. */
  takeChanges(): TakenChanges | undefined {
    const events = this.#newEvents;
    if (!this.#jobChanged && !this.#planChanged && this.#changedSteps.size === 0 && events.length === 0) {
      return undefined;
    }
    const stored: JobChanges = {
      // The stored progress bar follows the steps.
      progress: this.#storedProgress(),
      ...(this.#planChanged ? this.#storedPlan() : {}),
      steps: [...this.#changedSteps].map((path) => this.#storedStep(path)),
      events: events.map(storedEvent),
    };
    this.#jobChanged = false;
    this.#planChanged = false;
    this.#changedSteps.clear();
    this.#newOutputs.clear();
    this.#newEvents = [];
    return { stored, events, view: this.view };
  }

  #storedProgress(): NonNullable<JobChanges['progress']> {
    return {
      phase: this.#phase,
      status: this.status,
      cancelRequested: this.#cancelRequested,
      pastPointOfNoReturn: this.#pastPointOfNoReturn,
      error: this.#error,
      notes: this.#notes,
      progress: this.#progress(),
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
    };
  }

  #storedPlan(): Pick<JobChanges, 'prepared' | 'plan'> {
    return {
      ...(this.#prepared === undefined ? {} : { prepared: this.#prepared }),
      plan: [...this.#steps.values()],
    };
  }

  #storedStep(path: string): StoredStep {
    const step = this.step(path);
    return this.#newOutputs.has(path) ? step : { ...step, output: undefined };
  }

  #progress(): number {
    return this.#phase === 'ended' && this.#error === null ? 100 : progressOf(this.#steps.values());
  }

  #changeStep(path: string, patch: Partial<StepView> & { readonly state?: StepState }): void {
    const step = { ...this.step(path), ...patch };
    this.#steps.set(path, step);
    this.#changedSteps.add(path);
    this.#view = undefined;
    const { title, state, attempt, reason } = step;
    this.#record({ type: 'step', path, title, state, attempt, reason, progress: this.#progress() });
  }

  #changeJob(): void {
    this.#jobChanged = true;
    this.#view = undefined;
    this.#record({
      type: 'job',
      status: this.status,
      phase: this.#phase,
      progress: this.#progress(),
      cancelRequested: this.#cancelRequested,
      cancellable: this.cancellable,
      error: this.#error,
    });
  }

  #record(body: JobEventBody): void {
    this.#sequence += 1;
    this.#newEvents.push({ sequence: this.#sequence, at: new Date(), ...body });
  }
}
