import { readFile } from 'node:fs/promises';
import { isJsonObject } from '../../src/core/json.ts';
import type { NodePlace } from './layout.ts';

/** What the manager has written about a shard when its state changed. */
export interface ShardLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly cluster: number;
  readonly shard: string;
  readonly state: string;
  readonly reason: string;
}

export interface ManagerLog {
  readonly shards: readonly ShardLine[];
  /** Other lines of level warn and above, by their text without figures. */
  readonly warnings: ReadonlyMap<string, number>;
}

const warn = 40;

export async function readManagerLog(file: string): Promise<ManagerLog> {
  const shards: ShardLine[] = [];
  const warnings = new Map<string, number>();
  for (const text of (await readFile(file, 'utf8')).split('\n')) {
    const entry: unknown = text.startsWith('{') && text.endsWith('}') ? JSON.parse(text) : null;
    if (!isJsonObject(entry)) continue;
    const { time, level, msg, cluster, shard, state, reason } = entry;
    if (typeof state === 'string' && typeof shard === 'string' && typeof reason === 'string') {
      shards.push({ at: Number(time), cluster: Number(cluster), shard, state, reason });
    } else if (Number(level) >= warn && typeof msg === 'string') {
      const kind = msg.replaceAll(/\d+/g, 'n').slice(0, 120);
      warnings.set(kind, (warnings.get(kind) ?? 0) + 1);
    }
  }
  return { shards, warnings };
}

/** Shards whose last known state is another one than healthy. */
export function unhealthyShards({ shards }: ManagerLog): number {
  const last = new Map(shards.map(({ cluster, shard, state }) => [`${String(cluster)} ${shard}`, state]));
  return [...last.values()].filter((state) => state !== 'healthy').length;
}

/** Milliseconds from `since` until the manager said what was the matter with the node; undefined: it has not. */
export function diagnosedAfter({ shards }: ManagerLog, place: NodePlace, since: number): number | undefined {
  const address = `${place.hostaddr}:${String(place.port)}`;
  const found = shards.find(
    ({ at, state, reason }) => at >= since && state !== 'healthy' && reason.includes(address),
  );
  return found === undefined ? undefined : found.at - since;
}
