import type { Catalog } from '../catalog/catalog.ts';
import type { JobId } from '../core/ids.ts';
import type { JobSubmission } from '../jobs/directory.ts';
import type { AgentClients } from '../client/agent.ts';
import type { FaultPoint } from '../jobs/fault-points.ts';
import type { ShardRecord } from './observe-shard.ts';

/** What the actions of the health loop work with. */
export interface RepairContext extends ShardRecord {
  readonly catalog: Catalog;
  /** Makes a job of a request, once per idempotency key. */
  readonly submit: (submission: JobSubmission) => Promise<JobId>;
  readonly agents: AgentClients;
  /** Tests let the manager die at the steps of a failover. */
  readonly faultPoint: FaultPoint;
}
