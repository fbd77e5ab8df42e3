import { parallel, serial, type Group } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { installShard } from '../topology/install-shard.ts';
import { startComputeNode } from '../topology/steps/start-compute-node.ts';
import { clusterOrder } from './context.ts';
import type { CreateClusterParas } from './parameters.ts';
import type { CreateClusterPrepared } from './prepared.ts';
import { activate } from './steps/activate.ts';
import { connect } from './steps/connect-compute-node.ts';
import { recordNodes } from './steps/record-nodes.ts';
import { register } from './steps/register.ts';

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
      ...order.shards.map(installShard),
      parallel('computers', 'start compute nodes', order.comps.map(startComputeNode)),
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
