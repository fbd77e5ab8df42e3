import { clusterId, type ClusterId, type InstanceId } from '../../core/ids.ts';
import { instanceName } from '../topology/node-specs.ts';
import type { ComputeOrder, Context, ShardOrder } from '../topology/orders.ts';
import { nodeSizing, type NodeSizing } from '../topology/sizing.ts';
import type { CreateClusterParas } from './parameters.ts';
import { registeredCluster, stepPaths, type CreateClusterPrepared } from './prepared.ts';

/** What every step of one create_cluster job knows. */
export interface ClusterOrder {
  readonly paras: CreateClusterParas;
  readonly prepared: CreateClusterPrepared;
  readonly sizing: NodeSizing;
  /** Acknowledgements per commit; 0 without replication. */
  readonly fullsyncLevel: number;
  readonly computerUser: string;
  readonly shards: readonly ShardOrder[];
  readonly comps: readonly ComputeOrder[];
}

export function clusterOrder(paras: CreateClusterParas, prepared: CreateClusterPrepared): ClusterOrder {
  const sizing = nodeSizing(paras);
  const fullsyncLevel = paras.ha_mode === 'no_rep' ? 0 : (paras.fullsync_level ?? 1);
  const common = { clusterName: prepared.clusterName, sizing, clusterOf: registeredId };
  return {
    paras,
    prepared,
    sizing,
    fullsyncLevel,
    computerUser: paras.computer_user ?? 'abc',
    shards: prepared.shards.map((shard, index) => ({
      ...common,
      ...shard,
      haMode: paras.ha_mode,
      fullsyncLevel,
      parent: stepPaths.install,
      instanceOf: (cluster, node) => storageInstance(cluster, index + 1, node),
    })),
    comps: prepared.comps.map((place, index) => ({
      ...common,
      place,
      index: index + 1,
      instanceOf: (cluster) => computeInstance(cluster, index + 1),
    })),
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
