import { compareAgents } from './compare-agents.ts';
import { compareCatalog } from './compare-catalog.ts';
import { compareComp } from './compare-comps.ts';
import { compareShard } from './compare-shards.ts';
import type { Facts } from './facts.ts';
import type { Finding, Unseen } from './findings.ts';
import { UnderWay } from './under-way.ts';

export interface Comparison {
  readonly findings: readonly Finding[];
  readonly unseen: readonly Unseen[];
}

/** Every difference between the catalog and reality, but for what jobs are changing. Pure. */
export function compare(facts: Facts): Comparison {
  const underWay = new UnderWay(facts.catalog);
  const settled = facts.shards.filter(({ cluster }) => !underWay.cluster(cluster.id));
  const comps = facts.comps.filter(({ clusterId }) => !underWay.cluster(clusterId));
  return {
    findings: [
      ...compareCatalog(facts, underWay),
      ...compareAgents(facts, underWay),
      ...settled.flatMap((shard) => compareShard(shard)),
      ...comps.flatMap((comp) =>
        compareComp(
          comp,
          settled.filter(({ cluster }) => cluster.id === comp.clusterId),
        ),
      ),
    ],
    unseen: facts.agents
      .filter(({ answer, obeysAnother }) => answer === null && !obeysAnother)
      .map(({ hostaddr, failure }) => ({
        where: `machine ${hostaddr}`,
        why: failure ?? 'its agent does not answer',
      })),
  };
}

/** What two looks agree on: a difference seen only once was settling. */
export function persistent(first: readonly Finding[], second: readonly Finding[]): readonly Finding[] {
  const seen = new Set(first.map(({ what, where }) => `${what} ${where}`));
  return second.filter(({ what, where }) => seen.has(`${what} ${where}`));
}
