import { clusterScope } from '../../catalog/credentials.ts';
import type { Services } from '../../jobs/services.ts';
import type { Facts } from './facts.ts';
import { gatherAgents } from './gather-agents.ts';
import { gatherCatalog } from './gather-catalog.ts';
import { gatherComp, gatherShard, type Accounts } from './gather-nodes.ts';
import { severally } from './severally.ts';

/** Looks at everything; with `only`, at the servers of this cluster alone. */
export async function gather(
  services: Services,
  only: number | undefined,
  signal: AbortSignal,
): Promise<Facts> {
  const { catalog } = services;
  const { facts, shards } = await gatherCatalog(catalog, signal);
  const looked = facts.clusters.filter(({ cluster }) => only === undefined || cluster.id === only);
  const clusters = new Map(looked.map((found) => [found.cluster.id, found]));
  const accounts = new Map<number, Accounts>();
  for (const id of clusters.keys()) {
    accounts.set(id, await catalog.credentials.read(clusterScope(id), signal));
  }
  const accountsOf = (id: number): Accounts => accounts.get(id) ?? new Map();
  const [agents, shardFacts, comps] = await Promise.all([
    gatherAgents(services, facts.machines, signal),
    severally(
      shards.flatMap((recorded) => {
        const cluster = clusters.get(recorded.shard.clusterId)?.cluster;
        return cluster === undefined ? [] : [{ recorded, cluster }];
      }),
      ({ recorded, cluster }) => gatherShard(recorded, { cluster, accounts: accountsOf(cluster.id) }, signal),
    ),
    severally(
      looked.flatMap((found) => found.comps),
      (comp) => gatherComp(comp, accountsOf(comp.clusterId), signal),
    ),
  ]);
  return { catalog: facts, agents, shards: shardFacts, comps };
}
