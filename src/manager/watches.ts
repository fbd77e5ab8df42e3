import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import type { KlusterError } from '../core/errors/kluster-error.ts';
import type { JobId } from '../core/ids.ts';
import type { StorageNode } from '../core/model.ts';
import { AgentWatch } from '../ha/agent-watch.ts';
import { ComputeWatch } from '../ha/compute-watch.ts';
import { InDoubtWatch } from '../ha/in-doubt.ts';
import { defaultFailoverPolicy, type AgentReport } from '../ha/shard-observation.ts';
import { ShardWatch } from '../ha/shard-watch.ts';
import { EventLoopStrain } from '../ha/strain.ts';
import { WatchMetrics } from '../ha/watch-metrics.ts';
import type { JobSubmission } from '../jobs/directory.ts';
import type { HomeConfig } from './home-config.ts';

export interface Watches {
  readonly shardWatch: ShardWatch;
  readonly computeWatch: ComputeWatch;
  readonly inDoubtWatch: InDoubtWatch;
  readonly agentWatch: AgentWatch;
  /** Whether they keep up. */
  readonly metrics: WatchMetrics;
  /** What they heed together. */
  readonly strain: EventLoopStrain;
}

/** The loops of this manager, not started yet. What an agent reports makes the others look at once. */
export function makeWatches(given: {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
  readonly failover: HomeConfig['failover'] | undefined;
  /** Makes a job of a request. */
  readonly submit: (submission: JobSubmission) => Promise<JobId>;
  onLostOffice(error: KlusterError): void;
}): Watches {
  const metrics = new WatchMetrics();
  const strain = new EventLoopStrain();
  const options = { ...given, metrics, strain };
  const { fastPerHour, cautiousSeconds } = { ...options.failover };
  const report = (node: StorageNode): AgentReport | null => agentWatch.report(node);
  const shardWatch = new ShardWatch({
    ...options,
    report,
    failoverPolicy: {
      fastPerHour: fastPerHour ?? defaultFailoverPolicy.fastPerHour,
      cautiousMs: cautiousSeconds === undefined ? defaultFailoverPolicy.cautiousMs : cautiousSeconds * 1000,
    },
  });
  const computeWatch = new ComputeWatch(options);
  const inDoubtWatch = new InDoubtWatch({ ...options, report });
  const agentWatch = new AgentWatch({
    ...options,
    onSuspicion: (instance) => {
      shardWatch.suspect(instance);
      computeWatch.suspect(instance);
      inDoubtWatch.suspect(instance);
    },
    onNews: (instance) => {
      shardWatch.hear(instance);
      computeWatch.hear(instance);
    },
  });
  return { shardWatch, computeWatch, inDoubtWatch, agentWatch, metrics, strain };
}
