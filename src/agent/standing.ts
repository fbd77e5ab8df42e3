import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../core/abort.ts';
import type { InstanceStanding } from '../core/agent-protocol.ts';
import { BranchAges } from '../core/branch-ages.ts';
import type { StandingSample, StandingSession } from '../engines/engine.ts';

export interface StandingOptions {
  /** Null: the engine refuses a session. */
  open(signal: AbortSignal): Promise<StandingSession | null>;
  /** Called when the standing changes, or is not known any more. */
  changed(): void;
  readonly intervalMs?: number;
  readonly deadlineMs?: number;
}

const defaultIntervalMs = 1000;
const defaultDeadlineMs = 2000;
/** So many times in a row without an answer, and what was known does not hold any more. */
const missesUntilUnknown = 3;
/** A commit waits a moment for its acknowledgement; so many samples in a row with nothing done show that none comes. */
const samplesUntilStalled = 3;
/** A branch is prepared for a moment between the two phases of its transaction. */
const lingeringMs = 5000;

/**
 * Asks one running storage node, once a second, what part it has in its shard. Over a session of its own: a statement that
 * hangs here must not look like a server that hangs.
 */
export class Standing {
  readonly #options: StandingOptions;
  readonly #abort = new AbortController();
  readonly #ages = new BranchAges();
  readonly #loop: Promise<void>;
  #session: StandingSession | null = null;
  #misses = 0;
  #standstills = 0;
  #executed = '';
  #current: InstanceStanding | null = null;

  constructor(options: StandingOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** Null while it is not known. */
  get current(): InstanceStanding | null {
    return this.#current;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the instance is not watched any more'));
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const { intervalMs = defaultIntervalMs, deadlineMs = defaultDeadlineMs } = this.#options;
    while (!signal.aborted) {
      try {
        const sample = await withDeadline(deadlineMs, signal, (bounded) => this.#ask(bounded));
        this.#misses = 0;
        this.#tell(sample === null ? null : this.#judge(sample));
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        this.#drop();
        this.#misses += 1;
        if (this.#misses >= missesUntilUnknown && !signal.aborted) this.#tell(null);
      }
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
    }
    this.#drop();
  }

  async #ask(signal: AbortSignal): Promise<StandingSample | null> {
    if (this.#session === null) {
      const session = await this.#options.open(signal);
      // Nobody waits for it any more: it came too late.
      if (signal.aborted) session?.close();
      else this.#session = session;
    }
    return (await this.#session?.read()) ?? null;
  }

  #drop(): void {
    this.#session?.close();
    this.#session = null;
  }

  #judge({ role, commitsWaiting, executed, prepared }: StandingSample): InstanceStanding {
    const stands = commitsWaiting > 0 && executed === this.#executed;
    this.#standstills = stands ? this.#standstills + 1 : 0;
    this.#executed = executed;
    const ages = [...this.#ages.see(prepared, performance.now()).values()];
    return {
      ...role,
      stalled: this.#standstills >= samplesUntilStalled,
      lingering: ages.filter((age) => age >= lingeringMs).length,
    };
  }

  #tell(standing: InstanceStanding | null): void {
    const before = JSON.stringify(this.#current);
    this.#current = standing;
    if (JSON.stringify(standing) !== before) this.#options.changed();
  }
}
