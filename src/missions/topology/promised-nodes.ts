import Type from 'typebox';
import { Check } from 'typebox/value';
import type { Catalog } from '../../catalog/catalog.ts';
import { unfinishedDecisions } from '../../catalog/jobs.ts';
import type { Sql } from '../../catalog/sql.ts';
import { instanceId, type ClusterId, type InstanceId } from '../../core/ids.ts';
import type { MachineType } from '../../core/model.ts';
import { computeInstance, storageInstance } from '../create-cluster/context.ts';
import { clustersInTheMaking, type ClusterInTheMaking } from '../create-cluster/in-the-making.ts';

/** A node that a job under way has given a place, and that is not in the catalog yet. */
export interface PromisedNode {
  readonly hostaddr: string;
  readonly machineType: MachineType;
  readonly memoryMb: number;
  readonly isPrimary: boolean;
  /** Its ports are reserved already. */
  readonly hasPorts: boolean;
}

/** One node, in the decision of a job that adds nodes to a cluster. */
const promise = Type.Object({
  instanceId: Type.String(),
  hostaddr: Type.String(),
  machineType: Type.Union([Type.Literal('storage'), Type.Literal('computer')]),
  memoryMb: Type.Integer(),
  isPrimary: Type.Boolean(),
});

/** What every such job puts into its decision, so that jobs that place nodes after it count them. */
export const promises = Type.Array(promise);

const promising = Type.Object({ promised: promises });

interface PlacedNode extends Omit<PromisedNode, 'hasPorts'> {
  readonly instanceOf: (cluster: ClusterId) => InstanceId;
}

/** Nodes are recorded together at the end of their making; until then only the decision of their job tells of them. */
export async function promisedNodes(catalog: Catalog, sql: Sql): Promise<readonly PromisedNode[]> {
  const nodes: PromisedNode[] = [];
  for (const making of await clustersInTheMaking(sql)) {
    const cluster = await catalog.clusters.findByName(sql, making.prepared.clusterName);
    for (const { instanceOf, ...node } of placedNodes(making)) {
      const id = cluster === undefined ? undefined : instanceOf(cluster.id);
      nodes.push(...(await unrecorded(catalog, sql, node, id)));
    }
  }
  for (const { prepared } of await unfinishedDecisions(sql)) {
    if (!Check(promising, prepared)) continue;
    for (const { instanceId: id, ...node } of prepared.promised) {
      nodes.push(...(await unrecorded(catalog, sql, node, instanceId(id))));
    }
  }
  return nodes;
}

async function unrecorded(
  catalog: Catalog,
  sql: Sql,
  node: Omit<PromisedNode, 'hasPorts'>,
  id: InstanceId | undefined,
): Promise<readonly PromisedNode[]> {
  if (id === undefined) return [{ ...node, hasPorts: false }];
  if ((await catalog.instances.find(sql, id)) !== undefined) return [];
  return [{ ...node, hasPorts: (await catalog.ports.find(sql, id)) !== undefined }];
}

function placedNodes({ prepared }: ClusterInTheMaking): readonly PlacedNode[] {
  const { shards, comps, memoryMb } = prepared;
  return [
    ...shards.flatMap(({ nodes }, shard) =>
      nodes.map(({ hostaddr }, node): PlacedNode => ({
        hostaddr,
        machineType: 'storage',
        memoryMb: memoryMb.storage,
        isPrimary: node === 0,
        instanceOf: (cluster) => storageInstance(cluster, shard + 1, node + 1),
      })),
    ),
    ...comps.map(({ hostaddr }, index): PlacedNode => ({
      hostaddr,
      machineType: 'computer',
      memoryMb: memoryMb.compute,
      isPrimary: false,
      instanceOf: (cluster) => computeInstance(cluster, index + 1),
    })),
  ];
}
