import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';

/** What missions, queries and the health loop work with; made once, by the manager. */
export interface Services {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
}
