import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { sharedAbort } from '../core/shared-abort.ts';
import { Alarm } from './alarm.ts';
import { LookQueue, type AdmittedLook, type LookLimits, type NextLook } from './look-queue.ts';
import type { Strain } from './strain.ts';
import { overdueMs, type WatchMetrics } from './watch-metrics.ts';

/** What every watch is given. */
export interface WatchContext {
  readonly logger: Logger;
  readonly metrics: WatchMetrics;
  /** Default: none. */
  readonly strain?: Strain;
  /** Called when the catalog says that another manager leads. */
  onLostOffice(error: KlusterError): void;
}

/** One look at one thing. */
export interface Look {
  readonly signal: AbortSignal;
  /** It has seen what there is to see: what it does now takes no other look's place. */
  readonly freePlace: () => void;
}

/** What a watch is about. */
export interface WatchDuty<Key> {
  /** What is looked at, for messages and figures: `shards`. */
  readonly subject: string;
  readonly limits: LookLimits;
  /** Default: never. */
  readonly refreshMs?: number;
  /** Reads what there is to be looked at, and tells the loop by `add` and `removeOthers`. */
  readonly refresh?: (signal: AbortSignal) => Promise<void>;
  /** Fails only with what `failed` can judge. */
  look(key: Key, look: Look): Promise<NextLook>;
  /** The look did not succeed. Not called when the watch ends, or another manager leads. */
  failed(key: Key, error: unknown): NextLook;
}

const longestSleepMs = 250;
const afterFailureMs = 1000;
const soonMs = 500;
/** Longer intervals are routine. */
const calmMs = 5000;
/** So many looks begin at once; then what those before wait for is attended to first. */
const atOnce = 8;
const breathMs = 4;

/**
 * Looks at many things, each again and again, for as long as this manager leads. Whoever has something to watch gives it a
 * duty; when, and how many at the same time, is decided here.
 */
export class WatchLoop<Key> {
  readonly #context: WatchContext;
  readonly #duty: WatchDuty<Key>;
  readonly #queue: LookQueue<Key>;
  readonly #abort = sharedAbort();
  readonly #alarm = new Alarm();
  readonly #running = new Set<Promise<void>>();
  /** What has been looked at. */
  readonly #known = new Set<Key>();
  #refreshAt = 0;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #refreshing = false;
  #loop: Promise<void> | null = null;

  constructor(context: WatchContext, duty: WatchDuty<Key>) {
    this.#context = context;
    this.#duty = duty;
    this.#queue = new LookQueue(duty.limits);
    context.metrics.countOverdue(duty.subject, () => this.#queue.overdue(performance.now(), overdueMs));
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends the loop and waits for the looks that are under way. */
  async stop(): Promise<void> {
    this.#end(new Error(`the watch of ${this.#duty.subject} was stopped`));
    await this.#loop;
    await Promise.all(this.#running);
  }

  /** What is new is due at once. */
  add(key: Key): void {
    this.#queue.add(key, performance.now());
  }

  /** Everything that is not among these is not watched any more. @returns what that is */
  removeOthers(known: ReadonlySet<Key>): readonly Key[] {
    const others = this.#queue.keys().filter((key) => !known.has(key));
    for (const key of others) {
      this.#queue.remove(key);
      this.#known.delete(key);
    }
    return others;
  }

  /** Something happened to it: look before all that can wait, also when a look is under way. */
  urge(key: Key): void {
    this.#queue.urge(key, performance.now());
    this.#alarm.ring();
  }

  /** It is due now, as others are. */
  bringForward(key: Key): void {
    this.#queue.bringForward(key, performance.now());
    this.#alarm.ring();
  }

  /** What there is to be looked at may have changed. Many may say so at the same time. */
  refreshSoon(): void {
    this.#refreshAt = Math.min(this.#refreshAt, this.#refreshedAt + soonMs);
    this.#alarm.ring();
  }

  /** No look at it begins while `work` runs; afterwards one does at once. */
  async without<T>(key: Key, work: () => Promise<T>): Promise<T> {
    this.#queue.hold(key);
    try {
      return await work();
    } finally {
      this.#queue.letGo(key);
      this.urge(key);
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      if (!this.#refreshing && performance.now() >= this.#refreshAt) this.#track(this.#refresh(signal));
      this.#queue.share = this.#context.strain?.share() ?? 1;
      const admitted = this.#queue.admit(performance.now(), atOnce);
      for (const look of admitted) this.#track(this.#look(look, signal));
      if (admitted.length === atOnce) await sleep(breathMs);
      else await this.#alarm.sleep(this.#untilDue(), signal);
    }
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => {
      this.#running.delete(work);
      this.#alarm.ring();
    });
  }

  #untilDue(): number {
    const now = performance.now();
    const refreshAt = this.#refreshing ? Number.POSITIVE_INFINITY : this.#refreshAt;
    return Math.max(0, Math.min(longestSleepMs, this.#queue.nextAt() - now, refreshAt - now));
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { subject, refreshMs = Number.POSITIVE_INFINITY } = this.#duty;
    this.#refreshing = true;
    this.#refreshedAt = performance.now();
    this.#refreshAt = this.#refreshedAt + refreshMs;
    try {
      await this.#duty.refresh?.(signal);
    } catch (error) {
      if (signal.aborted || this.#hasLostOffice(error)) return;
      this.#context.logger.warn({ err: error }, `the ${subject} could not be read; trying again`);
      this.#refreshAt = performance.now() + afterFailureMs;
    } finally {
      this.#refreshing = false;
    }
  }

  async #look({ key, kind, lateMs }: AdmittedLook<Key>, signal: AbortSignal): Promise<void> {
    this.#context.metrics.began(this.#duty.subject, kind, lateMs);
    const freePlace = (): void => {
      this.#queue.freePlace(key);
      this.#alarm.ring();
    };
    const next = await this.#duty.look(key, { signal, freePlace }).catch((error: unknown) => {
      if (signal.aborted || this.#hasLostOffice(error)) return { inMs: afterFailureMs };
      return this.#duty.failed(key, error);
    });
    this.#queue.done(key, performance.now(), this.#known.has(key) ? next : outOfStep(next));
    this.#known.add(key);
  }

  #hasLostOffice(error: unknown): boolean {
    if (!isStaleEpoch(error)) return false;
    this.#end(error);
    this.#context.onLostOffice(error);
    return true;
  }

  #end(reason: Error): void {
    this.#abort.abort(reason);
  }
}

/** Another manager leads. */
export function isStaleEpoch(error: unknown): error is KlusterError {
  return error instanceof KlusterError && error.kind === 'stale_epoch';
}

/** After the first look, which is due at the same time for all: the second ones are spread over the whole interval. */
const outOfStep = (next: NextLook): NextLook =>
  next.inMs < calmMs ? next : { ...next, inMs: next.inMs * Math.random() };

/** An interval that is a little different each time, so that what begins together does not stay together. */
export function spread(intervalMs: number): NextLook {
  return { inMs: intervalMs * (0.75 + 0.5 * Math.random()) };
}
