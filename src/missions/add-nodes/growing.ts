import { storageNodePath, type Context, type ShardOrder } from '../topology/orders.ts';
import { startedInstance } from '../topology/places.ts';
import type { NodePlace } from '../topology/shard-now.ts';
import type { GrowingShard } from './prepared.ts';

/** One shard that grows, with what its steps need. */
export interface Growing {
  readonly shard: GrowingShard;
  readonly order: ShardOrder;
}

/** The node at its port, which its first step has found. */
export function placeOf(context: Context, { shard, order }: Growing, index: number): NodePlace {
  const place = shard.nodes[index - 1];
  if (place === undefined) throw new RangeError(`no node ${String(index)} in the plan`);
  const { port } = context.outputOf(storageNodePath(order, index), startedInstance);
  return {
    instanceId: order.instanceOf(order.clusterOf(context), index),
    hostaddr: place.hostaddr,
    port,
    agentPort: place.agentPort,
  };
}
