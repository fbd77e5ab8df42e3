import type { StorageNode } from '../core/model.ts';
import { freshWordMs } from './disk-word.ts';
import type { NextLook } from './look-queue.ts';
import type { AgentReport } from './shard-observation.ts';
import { spread } from './watch-loop.ts';

/** How often to look when nothing is the matter. */
export interface Pace {
  /** Nobody would tell. */
  readonly unwatchedMs: number;
  /** The agents tell of every change at once, so that only what they cannot see is looked for. */
  readonly watchedMs: number;
}

/** Whether the agents of all these nodes see what part each has in its shard, and are heard. */
export function areWatched(
  nodes: readonly StorageNode[],
  report: (node: StorageNode) => AgentReport | null,
): boolean {
  return nodes.every((node) => {
    const { silentMs, instance } = report(node) ?? { silentMs: Number.POSITIVE_INFINITY, instance: null };
    return silentMs <= freshWordMs && instance?.health?.answers === true && instance.standing !== undefined;
  });
}

export const routineLook = ({ unwatchedMs, watchedMs }: Pace, watched: boolean): NextLook =>
  spread(watched ? watchedMs : unwatchedMs);
