import { clusterId, type ClusterId, type InstanceId } from '../../core/ids.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { groupPortOffset, instanceName } from '../topology/node-specs.ts';
import type { FreshShard, ShardMember } from '../topology/shard-replication.ts';
import { readClusterAccounts } from '../topology/accounts.ts';
import type { CreateClusterParas } from './parameters.ts';
import { registeredCluster, startedInstance, stepPaths, type CreateClusterPrepared } from './prepared.ts';
import { nodeSizing, type NodeSizing } from './sizing.ts';

export type Context = StepContext<Services>;

/** What every step of one create_cluster job knows. */
export interface ClusterOrder {
  readonly paras: CreateClusterParas;
  readonly prepared: CreateClusterPrepared;
  readonly sizing: NodeSizing;
  /** Acknowledgements per commit; 0 without replication. */
  readonly fullsyncLevel: number;
  readonly computerUser: string;
}

export function clusterOrder(paras: CreateClusterParas, prepared: CreateClusterPrepared): ClusterOrder {
  return {
    paras,
    prepared,
    sizing: nodeSizing(paras),
    fullsyncLevel: paras.ha_mode === 'no_rep' ? 0 : (paras.fullsync_level ?? 1),
    computerUser: paras.computer_user ?? 'abc',
  };
}

export function registeredId(context: Context): ClusterId {
  return clusterId(context.outputOf(stepPaths.register, registeredCluster).clusterId);
}

/** Numbers of shards, nodes and compute nodes begin with 1. */
export function storageInstance(cluster: ClusterId, shard: number, node: number): InstanceId {
  return instanceName(cluster, `shard${String(shard)}-node${String(node)}`);
}

export function computeInstance(cluster: ClusterId, index: number): InstanceId {
  return instanceName(cluster, `comp${String(index)}`);
}

/** Shard number `shard` with the ports that its nodes got. */
export async function freshShard(context: Context, order: ClusterOrder, shard: number): Promise<FreshShard> {
  const planned = order.prepared.shards[shard - 1];
  const [primary, ...replicas] = (planned?.nodes ?? []).map((place, index): ShardMember => {
    const { port } = context.outputOf(stepPaths.storageNode(shard, index + 1), startedInstance);
    return { hostaddr: place.hostaddr, port, groupReplicationPort: port + groupPortOffset };
  });
  if (planned === undefined || primary === undefined)
    throw new RangeError(`no shard ${String(shard)} in the plan`);
  const { management, replication } = await readClusterAccounts(
    context.services,
    registeredId(context),
    context.signal,
  );
  return { name: planned.name, members: [primary, ...replicas], management, replication };
}
