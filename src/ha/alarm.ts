import { setTimeout as sleep } from 'node:timers/promises';

/** A loop sleeps on it until its time has come or somebody rings. Rung while nobody sleeps, it does not let the next one sleep. */
export class Alarm {
  #rung = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Returns early, without an error, also when the signal is aborted. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung) {
      const woken = new AbortController();
      const wake = (): void => {
        woken.abort();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      await sleep(ms, undefined, { signal: woken.signal }).catch(() => undefined);
      signal.removeEventListener('abort', wake);
      this.#wake = null;
    }
    this.#rung = false;
  }
}
