import type { Catalog } from '../../catalog/catalog.ts';
import type { Sql } from '../../catalog/sql.ts';
import type { ClusterId, InstanceId } from '../../core/ids.ts';
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

interface PlacedNode extends Omit<PromisedNode, 'hasPorts'> {
  readonly instanceOf: (cluster: ClusterId) => InstanceId;
}

/** Nodes are recorded together at the end of their making; until then only the decision of their job tells of them. */
export async function promisedNodes(catalog: Catalog, sql: Sql): Promise<readonly PromisedNode[]> {
  const promised: PromisedNode[] = [];
  for (const making of await clustersInTheMaking(sql)) {
    const cluster = await catalog.clusters.findByName(sql, making.prepared.clusterName);
    const recorded =
      cluster === undefined ? [] : await catalog.instances.list(sql, { clusterId: cluster.id });
    for (const { instanceOf, ...node } of placedNodes(making)) {
      const instance = cluster === undefined ? undefined : instanceOf(cluster.id);
      if (recorded.some(({ instanceId }) => instanceId === instance)) continue;
      const ports = instance === undefined ? undefined : await catalog.ports.find(sql, instance);
      promised.push({ ...node, hasPorts: ports !== undefined });
    }
  }
  return promised;
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
