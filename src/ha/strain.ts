import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

/** How much of what is allowed may be under way. */
export interface Strain {
  /** From 0 to 1. */
  share(): number;
}

const resolutionMs = 40;
const readingMs = 250;
/** Whatever waits longer for its turn in this process is at the mercy of other work: fewer things at once get done sooner. */
const strainedMs = 120;
const relaxedMs = 60;
const least = 1 / 4;

/** The share after a reading of how long what is due in this process waits for its turn. */
export function nextShare(share: number, lagMs: number): number {
  if (lagMs > strainedMs) return Math.max(least, share / 2);
  return lagMs < relaxedMs ? Math.min(1, share * 1.25) : share;
}

/**
 * Begins with few things at once and allows more while this process keeps up, so that what is under way gets its answers
 * within its deadlines; otherwise a manager short of processor time would take its own slowness for the silence of others.
 */
export class EventLoopStrain implements Strain {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  #share = 1 / 2;
  #readAt = performance.now();

  constructor() {
    this.#delays.enable();
  }

  share(): number {
    const now = performance.now();
    if (now - this.#readAt >= readingMs) {
      const lagMs = this.#delays.percentile(75) / 1e6 - resolutionMs;
      this.#delays.reset();
      this.#readAt = now;
      this.#share = nextShare(this.#share, lagMs);
    }
    return this.#share;
  }

  close(): void {
    this.#delays.disable();
  }
}
