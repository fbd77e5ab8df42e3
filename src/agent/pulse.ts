import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../core/abort.ts';
import type { InstanceHealth, InstanceView } from '../core/agent-protocol.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { EngineInstance, PulseSession } from '../engines/engine.ts';
import { Standing } from './standing.ts';

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

type Opening = Pick<EngineInstance, 'openPulse' | 'openStanding'>;

/** Pulse and standing of whichever process an instance has at the moment. */
export class PulseOfRuns {
  readonly #engine: Opening;
  readonly #changed: () => void;
  #pulse: Pulse | null = null;
  #standing: Standing | null = null;

  constructor(engine: Opening, changed: () => void) {
    this.#engine = engine;
    this.#changed = changed;
  }

  /** Nothing while no process serves. */
  get view(): Pick<InstanceView, 'health' | 'standing'> {
    const standing = this.#standing?.current ?? null;
    return {
      ...(this.#pulse !== null && { health: this.#pulse.health }),
      ...(standing !== null && { standing }),
    };
  }

  /** A process has become ready. */
  begin(): void {
    const { openPulse, openStanding } = this.#engine;
    const changed = this.#changed;
    if (openPulse !== null) this.#pulse ??= new Pulse({ open: openPulse, changed });
    if (openStanding !== null) this.#standing ??= new Standing({ open: openStanding, changed });
  }

  /** The process has ended, or is not watched any more. */
  async end(): Promise<void> {
    const [pulse, standing] = [this.#pulse, this.#standing];
    this.#pulse = null;
    this.#standing = null;
    await Promise.all([pulse?.stop(), standing?.stop()]);
  }
}
