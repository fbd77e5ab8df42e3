import type { StorageNodeId } from '../core/ids.ts';

export interface NodeSilence {
  /** Looks in a row without an answer. */
  readonly misses: number;
  /** Milliseconds from the beginning of the first of them until now; 0 when it answered. */
  readonly silentMs: number;
}

/** Remembers since when which node of a shard has not answered, or not done whatever else is noted of it. */
export class Silences {
  readonly #silent = new Map<StorageNodeId, { readonly since: number; readonly misses: number }>();

  /** The outcome of a look that began at `lookedAt` (performance.now()). */
  note(node: StorageNodeId, answered: boolean, lookedAt: number): NodeSilence {
    if (answered) {
      this.#silent.delete(node);
      return { misses: 0, silentMs: 0 };
    }
    const before = this.#silent.get(node) ?? { since: lookedAt, misses: 0 };
    const now = { since: before.since, misses: before.misses + 1 };
    this.#silent.set(node, now);
    return { misses: now.misses, silentMs: performance.now() - now.since };
  }
}
