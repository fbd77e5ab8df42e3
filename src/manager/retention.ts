import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { forgetEndedJobs } from '../catalog/jobs.ts';
import { withDeadline } from '../core/abort.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { forgetDecisions } from '../ha/forget-decisions.ts';
import type { HomeConfig } from './home-config.ts';

export interface RetentionOptions {
  readonly catalog: Catalog;
  readonly logger: Logger;
  readonly retention: HomeConfig['retention'] | undefined;
  /** Between rounds; default one hour. */
  readonly intervalMs?: number;
  /** Called when the catalog says that another manager leads. */
  onLostOffice(error: KlusterError): void;
}

const defaultJobDays = 90;
const defaultDecisionDays = 7;
const defaultIntervalMs = 3_600_000;
/** A manager that has just started has other things to do. */
const firstRoundMs = 60_000;
const roundDeadlineMs = 600_000;
/** Of one transaction. */
const jobsAtOnce = 100;
/** A round leaves the rest to the next one: nothing that serves may wait for it. */
const jobPages = 50;
const decisionPages = 200;

/** Once an hour forgets what the catalog need not remember: see `retention` in `config.json`. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #abort = new AbortController();
  #loop: Promise<void> | null = null;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('retention was stopped'));
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const { intervalMs = defaultIntervalMs } = this.#options;
    await pause(Math.min(firstRoundMs, intervalMs), signal);
    while (!signal.aborted) {
      await this.#attempt('ended jobs', (bounded) => this.#forgetJobs(bounded));
      await this.#attempt('decisions', (bounded) => this.#forgetDecisions(bounded));
      await pause(intervalMs, signal);
    }
  }

  async #attempt(what: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    try {
      await withDeadline(roundDeadlineMs, signal, work);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof KlusterError && error.kind === 'stale_epoch') this.#options.onLostOffice(error);
      else this.#options.logger.warn({ reason: errorText(error) }, `old ${what} are kept for now`);
    }
  }

  async #forgetJobs(signal: AbortSignal): Promise<void> {
    const { catalog, logger, retention } = this.#options;
    const days = retention?.jobDays ?? defaultJobDays;
    if (days === 0) return;
    let forgotten = 0;
    for (let page = 0; page < jobPages; page += 1) {
      const found = await catalog.database.write(
        (sql) => forgetEndedJobs(sql, { days, limit: jobsAtOnce }),
        signal,
      );
      forgotten += found;
      if (found < jobsAtOnce) break;
    }
    if (forgotten > 0) logger.info({ forgotten, days }, 'jobs that ended long ago are forgotten');
  }

  async #forgetDecisions(signal: AbortSignal): Promise<void> {
    const { catalog, logger, retention } = this.#options;
    const days = retention?.decisionDays ?? defaultDecisionDays;
    if (days === 0) return;
    const clusters = await catalog.database.read((sql) => catalog.clusters.list(sql), signal);
    for (const cluster of clusters) {
      try {
        const limits = { days, pages: decisionPages };
        const forgotten = await forgetDecisions(catalog, cluster, limits, signal);
        if (forgotten > 0)
          logger.info({ cluster: cluster.id, forgotten, days }, 'old decisions are forgotten');
      } catch (error) {
        if (signal.aborted || (error instanceof KlusterError && error.kind === 'stale_epoch')) throw error;
        // It may be on its way in or out, or a shard is down.
        logger.info({ cluster: cluster.id, reason: errorText(error) }, 'old decisions are kept for now');
      }
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}
