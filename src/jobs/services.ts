import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import type { ShardId } from '../core/ids.ts';

/** What missions, queries and the health loop work with; made once, by the manager. */
export interface Services {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
  /** Shared with the agents: seals the accounts that instances are made with. */
  readonly installationSecret: string;
  readonly liveness: Liveness;
  readonly shards: ShardGate;
}

/** Which machines answer now, as told by the event streams of their agents. */
export interface Liveness {
  isOnline(hostaddr: string): boolean;
}

/** One at a time decides about a shard: the health loop, or a job that moves its primary. */
export interface ShardGate {
  /** Runs `work` while the health loop leaves the shard alone; the loop looks at it right afterwards. */
  alone<T>(shard: ShardId, work: () => Promise<T>): Promise<T>;
  /** What the health loop found when it last looked at the shard; null before the first look. */
  lastWord(shard: ShardId): ShardWord | null;
}

export interface ShardWord {
  /** As the table in ARCHITECTURE.md has it. */
  readonly state: string;
  /** One sentence for people. */
  readonly reason: string;
}
