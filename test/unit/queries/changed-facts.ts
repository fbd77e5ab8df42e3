import { instanceId, jobId } from '../../../src/core/ids.ts';
import type { NodeStatus, StorageNode } from '../../../src/core/model.ts';
import type { NodeAnswer } from '../../../src/ha/shard-observation.ts';
import type {
  AgentFacts,
  CatalogFacts,
  CompAnswer,
  CompFacts,
  Facts,
  ShardFacts,
} from '../../../src/queries/doctor/facts.ts';
import { healthyFacts } from './healthy-facts.ts';

export const withCatalog = (changes: Partial<CatalogFacts>): Facts => ({
  ...healthyFacts,
  catalog: { ...healthyFacts.catalog, ...changes },
});

export const withShard = (change: (shard: ShardFacts) => Partial<ShardFacts>): Facts => ({
  ...healthyFacts,
  shards: healthyFacts.shards.map((shard) => ({ ...shard, ...change(shard) })),
});

interface NodeChange {
  readonly node?: Partial<StorageNode>;
  /** Null: it does not answer. */
  readonly answer?: Partial<NodeAnswer> | null;
}

/** Node 0 is the primary. */
export const withNode = (index: number, { node = {}, answer = {} }: NodeChange): Facts =>
  withShard(({ nodes }) => ({
    nodes: nodes.map((observed, position) => {
      if (position !== index || observed.answer === null) return observed;
      return {
        node: { ...observed.node, ...node },
        answer: answer === null ? null : { ...observed.answer, ...answer },
        failure: answer === null ? 'connection refused' : null,
      };
    }),
  }));

export const withAgent = (index: number, change: (agent: AgentFacts) => Partial<AgentFacts>): Facts => ({
  ...healthyFacts,
  agents: healthyFacts.agents.map((agent, position) =>
    position === index ? { ...agent, ...change(agent) } : agent,
  ),
});

export const withInstances = (
  index: number,
  instances: NonNullable<AgentFacts['answer']>['instances'],
): Facts => withAgent(index, () => ({ answer: { instances, strays: { directories: [], processes: [] } } }));

export const withComp = (change: Partial<CompFacts>, answer: Partial<CompAnswer> = {}): Facts => ({
  ...healthyFacts,
  comps: healthyFacts.comps.map((facts) => ({
    ...facts,
    answer: facts.answer === null ? null : { ...facts.answer, ...answer },
    ...change,
  })),
});

export const reported = (index: number) => healthyFacts.agents[index]?.answer?.instances ?? [];
export const cut = <Item>(items: readonly Item[]): readonly Item[] => items.slice(1);
export const { catalog } = healthyFacts;
export const other = { instanceId: instanceId('cluster8-shard1-node1'), hostaddr: '10.0.0.2', port: 57_005 };
export const elsewhere = { hostaddr: '10.0.0.9', port: 57_001 };
export const foreignGtids = 'bbbbbbbb-0000-4000-8000-000000000001:1-2';
export const status = (value: NodeStatus): NodeChange => ({ node: { status: value } });
export const job = {
  id: jobId(12),
  jobType: 'add_nodes',
  phase: 'forward',
  locks: ['cluster:7'],
  quietSeconds: 3,
};
