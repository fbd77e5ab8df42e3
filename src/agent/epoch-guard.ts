import { readFile } from 'node:fs/promises';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { replaceFile } from '../engines/replace-file.ts';

/** Refuses managers whose term of office has ended. The highest epoch seen is on disk before it counts. */
export class EpochGuard {
  readonly #path: string;
  #highest: number;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, highest: number) {
    this.#path = path;
    this.#highest = highest;
  }

  static async open(path: string): Promise<EpochGuard> {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '0\n';
      throw error;
    });
    if (!/^\d{1,15}\n$/.test(text)) throw new KlusterError('internal', `${path} does not hold an epoch`);
    return new EpochGuard(path, Number(text));
  }

  /** @throws KlusterError stale_epoch */
  async admit(epoch: number): Promise<void> {
    if (epoch > this.#highest) {
      this.#highest = epoch;
      const saved = this.#saving.then(() => replaceFile(this.#path, `${String(this.#highest)}\n`));
      this.#saving = saved.catch(() => undefined);
      await saved;
    }
    // Also of a request that was overtaken by a newer one while its epoch was saved.
    if (epoch < this.#highest) {
      throw new KlusterError(
        'stale_epoch',
        `The request carries epoch ${String(epoch)}, but this agent obeys epoch ${String(this.#highest)}`,
      );
    }
  }
}
