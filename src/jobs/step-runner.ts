import type Type from 'typebox';
import { Value } from 'typebox/value';
import { errorText, KlusterError, toKlusterError } from '../core/errors/kluster-error.ts';
import type { Json } from '../core/json.ts';
import { runBounded } from './deadline.ts';
import { isStaleEpoch, type JobEnvironment } from './environment.ts';
import type { JobRecorder } from './job-recorder.ts';
import type { JobState } from './job-state.ts';
import type { StepState } from './mission.ts';
import type { PlacedStep } from './placed-plan.ts';
import type { RetryPolicy, StepContext } from './plan.ts';
import { plainJson } from './plain-json.ts';
import { repeat } from './repeat.ts';
import { defaultRetry, undoRetry } from './retry.ts';

export interface RunningJob {
  readonly state: JobState;
  readonly recorder: JobRecorder;
  /** Hides the job's secrets in a text. */
  readonly mask: (text: string) => string;
}

/** The same error with the step in front of its message, its wire code and its violations kept. */
function errorOfStep(title: string, thrown: unknown): KlusterError {
  const error = toKlusterError(thrown);
  const { code, violations } = error;
  return new KlusterError(error.kind, `${title}: ${error.message}`, { cause: thrown, code, violations });
}

/** States of a step that may have left something: it was started and is not undone. */
export const undoable: ReadonlySet<StepState> = new Set(['running', 'done', 'failed', 'undoing'] as const);

/** Runs and undoes the single steps of one job, and stores what becomes of them. */
export class StepRunner<Services> {
  readonly #environment: JobEnvironment<Services>;
  readonly #job: RunningJob;

  constructor(environment: JobEnvironment<Services>, job: RunningJob) {
    this.#environment = environment;
    this.#job = job;
  }

  /** For `prepare`, which is no step of the plan but runs like one. */
  context(path: string, attempt: number, signal: AbortSignal): StepContext<Services> {
    const { state, recorder, mask } = this.#job;
    return {
      jobId: state.id,
      services: this.#environment.services,
      signal,
      path,
      attempt,
      note: async (text) => {
        state.addNote(path, mask(text));
        await recorder.save();
      },
      outputOf: (from, schema) => this.#outputOf(from, schema),
      faultPoint: (place) => this.#fault(path, place),
    };
  }

  /**
   * Runs a step to its end, with its retries. A step that is done is left alone; one that was running when a manager
   * died runs again.
   */
  async run({ path, step }: PlacedStep<Services>, signal: AbortSignal): Promise<void> {
    const { state, recorder } = this.#job;
    if (state.step(path).state === 'done') return;
    const attempt = async () => {
      const number = state.stepStarted(path);
      await recorder.save();
      this.#fault(path, 'before');
      const output = await runBounded({
        what: `step ${JSON.stringify(step.title)}`,
        deadlineMs: step.deadlineMs,
        signal,
        run: (scope) => step.run(this.context(path, number, scope)),
      });
      this.#fault(path, 'after-run');
      return plainJson(output, `output of step ${path}`);
    };
    let output: Json;
    try {
      output = await repeat(this.#repetition(path, this.#policy(step.retry), signal), attempt);
    } catch (error) {
      const stopped = signal.aborted;
      const reason: unknown = stopped ? signal.reason : error;
      await this.#failed(path, reason);
      throw stopped ? reason : errorOfStep(step.title, reason);
    }
    state.stepDone(path, output);
    await recorder.save();
    this.#fault(path, 'after-store');
  }

  /** Undoes a step if it was ever started. Its failure is recorded, not thrown: the other steps still want undoing. */
  async undo({ path, step }: PlacedStep<Services>): Promise<void> {
    const { state, recorder } = this.#job;
    const { stopping } = this.#environment;
    const before = state.findStep(path);
    // A plan of another version may have steps that were never stored, hence never started.
    const isStarted = before !== undefined && undoable.has(before.state);
    if (!isStarted || step.undo === undefined) return;
    let number = 0;
    const attempt = async () => {
      number += 1;
      this.#fault(path, 'undo-before');
      await runBounded({
        what: `undoing ${JSON.stringify(step.title)}`,
        deadlineMs: step.deadlineMs,
        signal: stopping,
        run: async (scope) => step.undo?.(this.context(path, number, scope), before.output),
      });
      this.#fault(path, 'undo-after-run');
    };
    state.stepUndoing(path);
    await recorder.save();
    try {
      await repeat(this.#repetition(path, undoRetry(step.retry ?? defaultRetry), stopping), attempt);
      state.stepUndone(path);
    } catch (error) {
      this.#throwInterruption(error);
      state.stepUndoFailed(path, this.#job.mask(errorText(error)));
    }
    await recorder.save();
    this.#fault(path, 'undo-after-store');
  }

  #policy(own: RetryPolicy | undefined): RetryPolicy {
    return this.#job.state.pastPointOfNoReturn ? this.#environment.forwardOnlyRetry : (own ?? defaultRetry);
  }

  #repetition(path: string, policy: RetryPolicy, signal: AbortSignal) {
    return {
      policy,
      signal,
      isFinal: (error: unknown) => signal.aborted || isStaleEpoch(error),
      beforeWait: async (error: unknown, delayMs: number) => {
        const again = `again in ${(delayMs / 1000).toFixed(1)} s`;
        this.#job.state.stepRepeats(path, `${this.#job.mask(errorText(error))}; ${again}`);
        await this.#job.recorder.save();
      },
    };
  }

  async #failed(path: string, error: unknown): Promise<void> {
    this.#throwInterruption(error);
    this.#job.state.stepFailed(path, this.#job.mask(errorText(error)));
    await this.#job.recorder.save();
  }

  /** Nothing is recorded of a job that is interrupted: the next leader finds the step as it was. */
  #throwInterruption(error: unknown): void {
    if (isStaleEpoch(error)) this.#environment.loseOffice(error);
    this.#environment.stopping.throwIfAborted();
  }

  #fault(path: string, place: string): void {
    this.#environment.faultPoint(`${this.#job.state.jobType}:${path}:${place}`);
  }

  #outputOf<Schema extends Type.TSchema>(path: string, schema: Schema): Type.Static<Schema> {
    const output = this.#job.state.findStep(path)?.output;
    if (output === undefined) throw new KlusterError('internal', `step ${path} has no output (yet)`);
    if (!Value.Check(schema, output)) {
      throw new KlusterError(
        'internal',
        `the output of step ${path} is not of the form that is expected of it`,
      );
    }
    return output;
  }
}
