import type { ClusterId, InstanceId } from '../../core/ids.ts';
import type { HaMode } from '../../core/model.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { readClusterAccounts } from './accounts.ts';
import { groupPortOffset } from './node-specs.ts';
import { startedInstance, type ComputePlace, type StoragePlace } from './places.ts';
import type { FreshShard, ShardMember } from './shard-replication.ts';
import type { NodeSizing } from './sizing.ts';

export type Context = StepContext<Services>;

/** A shard that a job makes, of a new cluster or of one that exists. */
export interface ShardOrder {
  readonly clusterName: string;
  readonly haMode: HaMode;
  /** Acknowledgements per commit; 0 without replication. */
  readonly fullsyncLevel: number;
  readonly sizing: NodeSizing;
  /** `shard_<n>`; also the key of the steps that make it. */
  readonly name: string;
  /** Name of the replication group (ha_mode mgr). */
  readonly groupName: string;
  /** The first becomes the primary. */
  readonly nodes: readonly StoragePlace[];
  /** Path of the group of steps that the shard's own group is in. */
  readonly parent: string;
  clusterOf(context: Context): ClusterId;
  /** Nodes are counted from 1. */
  instanceOf(cluster: ClusterId, node: number): InstanceId;
}

/** A compute node that a job makes. */
export interface ComputeOrder {
  readonly clusterName: string;
  readonly sizing: NodeSizing;
  readonly place: ComputePlace;
  /** From 1, among those that the job makes. */
  readonly index: number;
  clusterOf(context: Context): ClusterId;
  instanceOf(cluster: ClusterId): InstanceId;
}

/** Path of the step that starts the node; nodes are counted from 1. */
export function storageNodePath(order: Pick<ShardOrder, 'parent' | 'name'>, node: number): string {
  return `${order.parent}/${order.name}/nodes/node_${String(node)}`;
}

/** The shard with the ports that its nodes got. */
export async function freshShard(context: Context, order: ShardOrder): Promise<FreshShard> {
  const [primary, ...replicas] = order.nodes.map(({ hostaddr }, index): ShardMember => {
    const { port } = context.outputOf(storageNodePath(order, index + 1), startedInstance);
    return { hostaddr, port, groupReplicationPort: port + groupPortOffset };
  });
  if (primary === undefined) throw new RangeError(`${order.name} has no nodes`);
  const { management, replication } = await readClusterAccounts(
    context.services,
    order.clusterOf(context),
    context.signal,
  );
  return { name: order.name, members: [primary, ...replicas], management, replication };
}
