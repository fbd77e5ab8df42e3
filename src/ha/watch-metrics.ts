import { Gauge, Histogram, type Metric } from 'prom-client';
import type { LookKind } from './look-queue.ts';

/** A look that begins later than this after it was due is told as overdue. */
export const overdueMs = 1000;

const buckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Whether the watches of a manager keep up with what they have to look at. */
export class WatchMetrics {
  readonly #counts = new Map<string, () => number>();
  readonly #lateness = new Histogram({
    name: 'kluster_watch_lateness_seconds',
    help: 'Time from when a look was due, or asked for, until it began',
    labelNames: ['watch', 'kind'],
    buckets,
    registers: [],
  });
  readonly #overdue: Gauge;

  constructor() {
    const counts = this.#counts;
    this.#overdue = new Gauge({
      name: 'kluster_watch_overdue',
      help: `Looks that have been due for more than ${String(overdueMs / 1000)} s and have not begun`,
      labelNames: ['watch'],
      registers: [],
      collect() {
        for (const [watch, count] of counts) this.set({ watch }, count());
      },
    });
  }

  /** For /metrics. */
  get all(): readonly Metric[] {
    return [this.#lateness, this.#overdue];
  }

  began(watch: string, kind: LookKind, lateMs: number): void {
    this.#lateness.observe({ watch, kind }, lateMs / 1000);
  }

  countOverdue(watch: string, count: () => number): void {
    this.#counts.set(watch, count);
  }
}
