import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskReport } from '../../core/agent-protocol.ts';
import { errorText } from '../../core/errors/kluster-error.ts';
import { diskAfter, type DiskLook } from './disk-state.ts';
import type { WriteOutcome, WriteProbe } from './write-probe.ts';

/** What a disk is asked with; tests put others in. */
export interface DiskSenses {
  /** Writes a block and waits for it. */
  write(): Pick<WriteProbe, 'outcome' | 'waitsForDisk' | 'abandon'>;
  /** Bytes that an engine may still take. */
  available(): Promise<number>;
}

export interface DiskWatchOptions {
  readonly senses: DiskSenses;
  /** Called when the state is another one. */
  changed(): void;
  readonly lookMs?: number;
  readonly frozenMs?: number;
}

const defaultLookMs = 2000;
/** A busy disk may take seconds; one that takes longer is of no use to a primary. */
const defaultFrozenMs = 5000;
/** How often a write that is late is looked at. */
const lateCheckMs = 250;

/** Looks at one disk all the time: is there room, and does it still write? */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #abort = new AbortController();
  readonly #stopped: Promise<null>;
  #report: DiskReport = { state: 'room', availableMb: null, reason: null };

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#stopped = new Promise((resolve) => {
      this.#abort.signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    void this.#run();
  }

  get report(): DiskReport {
    return this.#report;
  }

  /** Does not wait for what the disk holds up. */
  stop(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const { lookMs = defaultLookMs } = this.#options;
    while (!signal.aborted) {
      const look = await this.#look();
      if (signal.aborted || look === null) return;
      this.#tell(diskAfter(this.#report.state, look));
      await sleep(lookMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Null when nobody waits for it any more. */
  async #look(): Promise<DiskLook | null> {
    const { senses } = this.#options;
    const write = await this.#written();
    if (write === null) return null;
    // Only of a disk that answers: asking another one would cost the agent a thread.
    const availableBytes = await senses.available().catch(() => null);
    return { write, availableBytes };
  }

  async #written(): Promise<WriteOutcome | null> {
    const { senses, frozenMs = defaultFrozenMs } = this.#options;
    const probe = senses.write();
    const start = performance.now();
    const late = setInterval(
      () => {
        if (performance.now() - start < frozenMs || !probe.waitsForDisk) return;
        const reason = `a write has not come back for ${String(frozenMs)} ms`;
        this.#tell({ state: 'frozen', availableMb: this.#report.availableMb, reason });
      },
      Math.min(lateCheckMs, frozenMs),
    );
    try {
      return await Promise.race([probe.outcome, this.#stopped]);
    } finally {
      clearInterval(late);
      if (this.#abort.signal.aborted) probe.abandon();
    }
  }

  #tell(report: DiskReport): void {
    const { state } = this.#report;
    this.#report = report;
    if (state !== report.state && !this.#abort.signal.aborted) this.#options.changed();
  }
}

/** Bytes that an unprivileged process may still take on the file system of a path. */
export async function availableBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    throw new Error(`no space is known of ${path}: ${errorText(error)}`, { cause: error });
  }
}
