import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import type { KlusterError } from '../core/errors/kluster-error.ts';
import { AgentWatch } from '../ha/agent-watch.ts';
import { ComputeWatch } from '../ha/compute-watch.ts';
import { InDoubtWatch } from '../ha/in-doubt.ts';
import { ShardWatch } from '../ha/shard-watch.ts';

export interface Watches {
  readonly shardWatch: ShardWatch;
  readonly computeWatch: ComputeWatch;
  readonly inDoubtWatch: InDoubtWatch;
  readonly agentWatch: AgentWatch;
}

/** The loops of this manager, not started yet. What an agent reports makes the others look at once. */
export function makeWatches(options: {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
  onLostOffice(error: KlusterError): void;
}): Watches {
  const shardWatch = new ShardWatch({ ...options, report: (node) => agentWatch.report(node) });
  const computeWatch = new ComputeWatch(options);
  const inDoubtWatch = new InDoubtWatch(options);
  const agentWatch = new AgentWatch({
    ...options,
    onSuspicion: (instance) => {
      shardWatch.suspect(instance);
      computeWatch.suspect(instance);
      inDoubtWatch.suspect();
    },
  });
  return { shardWatch, computeWatch, inDoubtWatch, agentWatch };
}
