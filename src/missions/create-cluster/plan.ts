import { parallel, serial, type Group } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { clusterOrder, type ClusterOrder } from './context.ts';
import type { CreateClusterParas } from './parameters.ts';
import type { CreateClusterPrepared } from './prepared.ts';
import { activate } from './steps/activate.ts';
import { connect } from './steps/connect-compute-node.ts';
import { recordNodes } from './steps/record-nodes.ts';
import { register } from './steps/register.ts';
import { proveShard, replicateShard } from './steps/replicate-shard.ts';
import { startComputeNode } from './steps/start-compute-node.ts';
import { startStorageNode } from './steps/start-storage-node.ts';

/**
 * register the cluster → start all engines at once; each shard replicates and proves it as soon as its own nodes run →
 * record shards and nodes → compute nodes learn the shards and prove that they read them → activate.
 */
export function createClusterPlan(
  paras: CreateClusterParas,
  prepared: CreateClusterPrepared,
): Group<Services> {
  const order = clusterOrder(paras, prepared);
  return serial('create_cluster', `create cluster ${prepared.clusterName}`, [
    register(order),
    parallel('install', 'install storage and compute nodes', [
      ...prepared.shards.map((_, index) => installShard(order, index + 1)),
      parallel(
        'computers',
        'start compute nodes',
        prepared.comps.map((place, index) => startComputeNode(order, place, index + 1)),
      ),
    ]),
    recordNodes(order),
    parallel(
      'connect',
      'connect compute nodes with the shards',
      prepared.comps.map((place, index) => connect(place, index + 1)),
    ),
    activate(order),
  ]);
}

function installShard(order: ClusterOrder, shard: number): Group<Services> {
  const planned = order.prepared.shards[shard - 1];
  const key = `shard_${String(shard)}`;
  return serial(key, `install ${key}`, [
    parallel(
      'nodes',
      `start the nodes of ${key}`,
      (planned?.nodes ?? []).map((place, index) =>
        startStorageNode(order, place, { shard, node: index + 1 }),
      ),
    ),
    replicateShard(order, shard),
    proveShard(order, shard),
  ]);
}
