import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../core/abort.ts';
import type { InstanceHealth } from '../core/agent-protocol.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { PulseSession } from '../engines/engine.ts';

export interface PulseOptions {
  /** Null: the engine refuses a session, which is an answer too. */
  open(signal: AbortSignal): Promise<PulseSession | null>;
  /** Called when the engine stops or begins to answer, or to hear from its source. */
  changed(): void;
  readonly beatMs?: number;
  readonly deadlineMs?: number;
}

const defaultBeatMs = 500;
const defaultDeadlineMs = 400;
/** So many beats in a row without an answer, and the engine counts as silent. */
const missesUntilSilent = 2;
/** A deadline that comes this much too late shows that this process did not run, not that the engine is silent. */
const stallMs = 250;

/**
 * Asks one running engine twice a second, over a session that is kept, whether it still executes statements: a process that
 * hangs looks like one that serves.
 */
export class Pulse {
  readonly #options: PulseOptions;
  readonly #abort = new AbortController();
  readonly #loop: Promise<void>;
  #session: PulseSession | null = null;
  #misses = 0;
  #health: InstanceHealth = { answers: true, reason: null, hearsSource: null };

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  get health(): InstanceHealth {
    return this.#health;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the instance is not watched any more'));
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const { beatMs = defaultBeatMs } = this.#options;
    try {
      while (!signal.aborted) {
        const start = performance.now();
        await this.#beat(signal);
        const rest = Math.max(0, start + beatMs - performance.now());
        await sleep(rest, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      this.#drop();
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { deadlineMs = defaultDeadlineMs } = this.#options;
    const start = performance.now();
    try {
      const hearsSource = await withDeadline(deadlineMs, signal, (bounded) => this.#ask(bounded));
      this.#misses = 0;
      this.#tell({ answers: true, reason: null, hearsSource });
    } catch (error) {
      this.#drop();
      if (signal.aborted || performance.now() - start > deadlineMs + stallMs) return;
      this.#misses += 1;
      if (this.#misses < missesUntilSilent) return;
      this.#tell({ answers: false, reason: errorText(error), hearsSource: null });
    }
  }

  async #ask(signal: AbortSignal): Promise<boolean | null> {
    const session = this.#session ?? (await this.#open(signal));
    return (await session?.beat())?.hearsSource ?? null;
  }

  async #open(signal: AbortSignal): Promise<PulseSession | null> {
    const session = await this.#options.open(signal);
    // Nobody waits for it any more: it came too late.
    if (signal.aborted) session?.close();
    else this.#session = session;
    return session;
  }

  #drop(): void {
    this.#session?.close();
    this.#session = null;
  }

  #tell(health: InstanceHealth): void {
    const { answers, hearsSource } = this.#health;
    this.#health = health;
    const isDeaf = health.hearsSource === false;
    if (answers !== health.answers || isDeaf !== (hearsSource === false)) this.#options.changed();
  }
}

/** The pulse of whichever process an instance has at the moment. */
export class PulseOfRuns {
  readonly #open: PulseOptions['open'] | null;
  readonly #changed: () => void;
  #pulse: Pulse | null = null;

  /** `open` is null for engines that are not asked. */
  constructor(open: PulseOptions['open'] | null, changed: () => void) {
    this.#open = open;
    this.#changed = changed;
  }

  /** Null while no process serves. */
  get health(): InstanceHealth | null {
    return this.#pulse?.health ?? null;
  }

  /** A process has become ready. */
  begin(): void {
    const open = this.#open;
    if (open !== null) this.#pulse ??= new Pulse({ open, changed: this.#changed });
  }

  /** The process has ended, or is not watched any more. */
  async end(): Promise<void> {
    const pulse = this.#pulse;
    this.#pulse = null;
    await pulse?.stop();
  }
}
