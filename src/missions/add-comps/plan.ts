import { clusterId, computeNodeId, instanceId } from '../../core/ids.ts';
import { parallel, pointOfNoReturn, serial, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { proveCompute } from '../../ha/prove-compute.ts';
import { connectComputeNode } from '../topology/connect-compute-node.ts';
import type { ComputeOrder, Context } from '../topology/orders.ts';
import { nodeSizing } from '../topology/sizing.ts';
import { startComputeNode } from '../topology/steps/start-compute-node.ts';
import { tellComputeNode } from '../topology/tell-compute-nodes.ts';
import { recordedComps, stepPaths, type AddCompsPrepared } from './prepared.ts';
import { activate } from './steps/activate.ts';
import { recordComps } from './steps/record-comps.ts';
import { widenShards } from './steps/widen-shards.ts';

/**
 * The compute nodes start → are recorded as being created → learn every shard and prove that they read it → shards take
 * their connections → from here on only forward → they serve, and all compute nodes know of each other.
 */
export function addCompsPlan(prepared: AddCompsPrepared): Group<Services> {
  const orders = computeOrders(prepared);
  const idOf = (index: number) => (context: Context) => {
    const comp = context.outputOf(stepPaths.record, recordedComps).comps[index];
    if (comp === undefined) throw new RangeError(`compute node ${String(index + 1)} was not recorded`);
    return computeNodeId(comp.id);
  };
  return serial('add_comps', `add compute nodes to ${prepared.clusterName}`, [
    parallel('install', 'start the compute nodes', orders.map(startComputeNode)),
    recordComps(prepared, orders),
    parallel(
      'connect',
      'connect the compute nodes with the shards',
      orders.map((order, index) => connect(order, idOf(index))),
    ),
    widenShards(prepared),
    pointOfNoReturn,
    activate(prepared),
    parallel('tell', 'tell all compute nodes of each other', [
      ...orders.map(({ index }) => {
        const key = `new_${String(index)}`;
        return tellComputeNode(key, `new compute node ${String(index)}`, idOf(index - 1), proveCompute);
      }),
      ...prepared.others.map(({ id, name }) => tellComputeNode(name, name, () => computeNodeId(id))),
    ]),
  ]);
}

function computeOrders({ settings, ...prepared }: AddCompsPrepared): readonly ComputeOrder[] {
  const sizing = nodeSizing({ ...settings, comps: prepared.others.length + prepared.comps.length });
  return prepared.comps.map((comp, index) => ({
    clusterName: prepared.clusterName,
    sizing,
    place: comp.place,
    index: index + 1,
    clusterOf: () => clusterId(prepared.clusterId),
    instanceOf: () => instanceId(comp.instanceId),
  }));
}

function connect(
  { index, place }: ComputeOrder,
  idOf: Parameters<typeof tellComputeNode>[2],
): Step<Services> {
  return {
    kind: 'step',
    key: `comp_${String(index)}`,
    title: `connect compute node ${String(index)} on ${place.hostaddr} with the shards`,
    deadlineMs: 120_000,
    async run(context) {
      await connectComputeNode(context.services, idOf(context), context.signal);
      return null;
    },
  };
}
