import type { StorageNodeId } from '../core/ids.ts';
import { EngineSqlError } from '../engines/sql-error.ts';

/** Once, it may have been the wait for a source that does not answer; each of these takes ten seconds. */
const patience = 3;

/**
 * Counts how often in a row a server has not answered when it was told to follow. A thread of its replication that waits for
 * something that does not come, such as room on a disk, keeps every statement about replication waiting, and the server goes on
 * waiting when the client has left. Then its process is ended: what it has received is in its relay logs.
 */
export class HungFollows {
  readonly #hangs = new Map<StorageNodeId, number>();

  /** @throws what `follow` throws, unless `kill` is called instead, or what that throws */
  async attempt(node: StorageNodeId, follow: () => Promise<void>, kill: () => Promise<void>): Promise<void> {
    try {
      await follow();
      this.#hangs.delete(node);
    } catch (error) {
      const hangs = isUnanswered(error) ? (this.#hangs.get(node) ?? 0) + 1 : 0;
      this.#hangs.set(node, hangs % patience);
      if (hangs < patience) throw error;
      await kill();
    }
  }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof EngineSqlError && error.symbol === 'ETIMEDOUT';
}
