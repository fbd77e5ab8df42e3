import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';

/** What missions, queries and the health loop work with; made once, by the manager. */
export interface Services {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
  /** Shared with the agents: seals the accounts that instances are made with. */
  readonly installationSecret: string;
  readonly liveness: Liveness;
}

/** Which machines answer now, as told by the event streams of their agents. */
export interface Liveness {
  isOnline(hostaddr: string): boolean;
}
