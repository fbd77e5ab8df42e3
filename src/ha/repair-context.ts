import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import type { FaultPoint } from '../jobs/fault-points.ts';
import type { ShardRecord } from './observe-shard.ts';

/** What the actions of the health loop work with. */
export interface RepairContext extends ShardRecord {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  /** Tests let the manager die at the steps of a failover. */
  readonly faultPoint: FaultPoint;
}
