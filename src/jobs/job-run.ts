import { Value } from 'typebox/value';
import { errorText, KlusterError, toKlusterError } from '../core/errors/kluster-error.ts';
import type { JobId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { sharedAbort } from '../core/shared-abort.ts';
import { runBounded } from './deadline.ts';
import { isStaleEpoch, type JobEnvironment } from './environment.ts';
import type { AnyMission, AnyParas, JobError } from './mission.ts';
import { placePlan, stepsOf, type PlacedNode } from './placed-plan.ts';
import { plainJson } from './plain-json.ts';
import { walkBackward, walkForward } from './plan-walk.ts';
import { repeat } from './repeat.ts';
import { defaultRetry } from './retry.ts';
import { StepRunner, undoable, type RunningJob } from './step-runner.ts';

/** For one attempt of `prepare`, which reads and decides. */
const prepareDeadlineMs = 60_000;

export function jobErrorOf(error: KlusterError, mask: (text: string) => string): JobError {
  return { kind: error.kind, code: error.code, message: mask(error.message), hint: error.hint };
}

/** One job from its first step, or from where the former leader left it, to its end. */
export class JobRun<Services> {
  readonly #environment: JobEnvironment<Services>;
  readonly #mission: AnyMission<Services>;
  readonly #paras: AnyParas;
  readonly #job: RunningJob;
  readonly #steps: StepRunner<Services>;
  /** Aborted by cancel, and when the engine stops. */
  readonly #forward = sharedAbort();

  constructor(
    environment: JobEnvironment<Services>,
    mission: AnyMission<Services>,
    paras: AnyParas,
    job: RunningJob,
  ) {
    this.#environment = environment;
    this.#mission = mission;
    this.#paras = paras;
    this.#job = job;
    this.#steps = new StepRunner(environment, job);
  }

  /** Stops what runs; the job then undoes itself. */
  cancel(error: KlusterError): void {
    this.#forward.abort(error);
  }

  /** Resolves when the job has ended and that is stored; rejects with Interrupted when it is to be resumed later. */
  async toEnd(): Promise<void> {
    const { state, recorder } = this.#job;
    const { stopping } = this.#environment;
    const stop = () => this.#forward.abort(stopping.reason);
    stopping.addEventListener('abort', stop, { once: true });
    try {
      stopping.throwIfAborted();
      if (state.phase === 'queued') {
        state.begin();
        await recorder.save();
      }
      let error = state.phase === 'undoing' ? state.error : await this.#goForward();
      if (error === null && state.cancelRequested) error = this.#cancelledError();
      await this.#end(error !== null && !state.pastPointOfNoReturn ? await this.#undo(error) : error);
    } finally {
      stopping.removeEventListener('abort', stop);
    }
  }

  /** The error that the job failed with; null when every step is done. */
  async #goForward(): Promise<JobError | null> {
    const { signal } = this.#forward;
    const { mask } = this.#job;
    try {
      if (this.#job.state.cancelRequested) this.cancel(cancelledError(this.#job.state.id));
      signal.throwIfAborted();
      const plan = await this.#plannedSteps(signal);
      const actions = {
        runStep: this.#steps.run.bind(this.#steps),
        passPointOfNoReturn: () => this.#passPointOfNoReturn(signal),
        failureStopsSiblings: () => !this.#job.state.pastPointOfNoReturn,
      };
      await walkForward(plan, actions, signal);
      this.#fault('end:before');
      return null;
    } catch (error) {
      if (isStaleEpoch(error)) this.#environment.loseOffice(error);
      this.#environment.stopping.throwIfAborted();
      this.#environment.logger.warn(
        { job: this.#job.state.id, reason: mask(errorText(error)) },
        'job failed',
      );
      return jobErrorOf(toKlusterError(error), mask);
    }
  }

  async #plannedSteps(signal: AbortSignal): Promise<PlacedNode<Services>> {
    const { state } = this.#job;
    if (state.prepared !== undefined) {
      const again = this.#planAgain(state.prepared);
      this.#checkUnchanged(again);
      return again;
    }
    const { preparesUnder } = this.#mission;
    const decide = () => this.#decidePlan(signal);
    return preparesUnder === undefined ? decide() : this.#environment.preparations.run(preparesUnder, decide);
  }

  async #decidePlan(signal: AbortSignal): Promise<PlacedNode<Services>> {
    const { state, recorder } = this.#job;
    this.#fault('prepare:before');
    const prepared = await this.#prepare(signal);
    this.#fault('prepare:after-run');
    const plan = placePlan(this.#mission.plan(this.#paras, prepared));
    const steps = stepsOf(plan).map(({ path, step }) => ({
      path,
      title: step.title,
      weight: step.weight ?? 1,
    }));
    state.setPlan(prepared, steps);
    await recorder.save();
    this.#fault('prepare:after-store');
    return plan;
  }

  async #prepare(signal: AbortSignal): Promise<Json> {
    let attempts = 0;
    const repetition = {
      policy: defaultRetry,
      signal,
      isFinal: (error: unknown) => signal.aborted || isStaleEpoch(error),
      beforeWait: async (error: unknown) => {
        const reason = this.#job.mask(errorText(error));
        this.#environment.logger.warn({ job: this.#job.state.id, reason }, 'prepare is repeated');
        return Promise.resolve();
      },
    };
    const prepared: unknown = await repeat(repetition, () => {
      attempts += 1;
      return runBounded({
        what: `preparing ${this.#mission.jobType}`,
        deadlineMs: prepareDeadlineMs,
        signal,
        run: (scope) => this.#mission.prepare(this.#steps.context('prepare', attempts, scope), this.#paras),
      });
    });
    return this.#checkedPrepared(plainJson(prepared, `what ${this.#mission.jobType} prepared`));
  }

  #checkedPrepared(prepared: Json): Json {
    if (Value.Check(this.#mission.prepared, prepared)) return prepared;
    const [first] = Value.Errors(this.#mission.prepared, prepared);
    const where = first === undefined ? '' : ` (${first.instancePath} ${first.message})`;
    throw new KlusterError('internal', `what ${this.#mission.jobType} prepared breaks its schema${where}`);
  }

  /** The plan of a job that was begun before. */
  #planAgain(prepared: Json): PlacedNode<Services> {
    return placePlan(this.#mission.plan(this.#paras, this.#checkedPrepared(prepared)));
  }

  /** Throws when the plan does not have the steps that were stored: nobody can tell what going on would do. */
  #checkUnchanged(plan: PlacedNode<Services>): void {
    const known = new Set(stepsOf(plan).map(({ path }) => path));
    const stored = [...this.#job.state.steps].map(({ path }) => path);
    if (known.size === stored.length && stored.every((path) => known.has(path))) return;
    throw new KlusterError(
      'internal',
      `the plan of ${this.#mission.jobType} is not the one that the job was begun with: another version of this program made it`,
    );
  }

  async #passPointOfNoReturn(signal: AbortSignal): Promise<void> {
    const { state, recorder } = this.#job;
    if (state.pastPointOfNoReturn) return;
    this.#fault('point-of-no-return:before');
    signal.throwIfAborted();
    state.passPointOfNoReturn();
    await recorder.save();
    this.#fault('point-of-no-return:after-store');
  }

  /** Undoes every step that was started; gives the error of the job, which names what could not be undone. */
  async #undo(error: JobError): Promise<JobError> {
    const { state, recorder } = this.#job;
    if (state.phase !== 'undoing') {
      this.#fault('undo:before');
      state.beginUndo(error);
      await recorder.save();
      this.#fault('undo:after-store');
    }
    if (state.prepared !== undefined) await this.#undoSteps(state.prepared);
    const left = [...state.steps].filter((step) => step.state === 'undo_failed');
    if (left.length === 0) return error;
    const names = left.map(({ title, reason }) => `${title}: ${reason ?? ''}`).join('; ');
    return { ...error, message: `${error.message}. Not undone: ${names}` };
  }

  async #undoSteps(prepared: Json): Promise<void> {
    let plan: PlacedNode<Services> | undefined;
    let reason = 'this version of the program does not know the step';
    try {
      plan = this.#planAgain(prepared);
    } catch (error) {
      reason = this.#job.mask(errorText(error));
    }
    const known = new Set(plan === undefined ? [] : stepsOf(plan).map(({ path }) => path));
    for (const { path, state } of this.#job.state.steps) {
      if (undoable.has(state) && !known.has(path)) this.#job.state.stepUndoFailed(path, reason);
    }
    if (plan !== undefined) await walkBackward(plan, (step) => this.#steps.undo(step));
  }

  async #end(error: JobError | null): Promise<void> {
    const { state, recorder } = this.#job;
    state.end(error);
    await recorder.save();
  }

  #cancelledError(): JobError {
    return jobErrorOf(cancelledError(this.#job.state.id), this.#job.mask);
  }

  #fault(place: string): void {
    this.#environment.faultPoint(`${this.#job.state.jobType}:${place}`);
  }
}

export function cancelledError(job: JobId): KlusterError {
  return new KlusterError('job_cancelled', `job ${String(job)} was cancelled on request`);
}
