import type { DiskReport } from '../core/agent-protocol.ts';
import type { NodeObservation } from './shard-observation.ts';

/** An agent sends something every 500 ms; older words are not evidence. */
export const freshWordMs = 1600;

export type DiskTrouble = Exclude<DiskReport['state'], 'room' | 'low'>;

type Reported = Pick<NodeObservation, 'agent'>;

/** What the agent says of a node's disks; null when it is not heard or does not say. */
function diskOf({ agent }: Reported): DiskReport | null {
  if (agent === null || agent.silentMs > freshWordMs) return null;
  return agent.instance?.disk ?? null;
}

/** Why the server of a node cannot write, as its agent says; null when nothing is known of the kind. */
export function diskTrouble(reported: Reported): DiskTrouble | null {
  const state = diskOf(reported)?.state ?? null;
  return state === null || state === 'room' || state === 'low' ? null : state;
}

/** There is room for some time: it may be given more to do. */
export function hasRoom(reported: Reported): boolean {
  const state = diskOf(reported)?.state ?? 'room';
  return state === 'room';
}

/** The rest of a sentence about the node. */
export function diskWords(reported: Reported): string {
  const disk = diskOf(reported);
  const left =
    disk?.availableMb === null || disk === null ? '' : ` (${String(disk.availableMb)} MiB are left)`;
  switch (diskTrouble(reported)) {
    case 'full':
      return `has no room on its disk${left}`;
    case 'frozen':
      return `has a disk that does not answer (${disk?.reason ?? ''})`;
    case 'failing':
      return `has a disk that refuses writes (${disk?.reason ?? ''})`;
    case null:
      return 'can write';
  }
}
