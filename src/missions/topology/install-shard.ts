import { parallel, serial, type Group } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import type { ShardOrder } from './orders.ts';
import { proveShard, replicateShard } from './steps/replicate-shard.ts';
import { startStorageNode } from './steps/start-storage-node.ts';

/** All nodes of the shard start at once; then it replicates, and proves it. */
export function installShard(order: ShardOrder): Group<Services> {
  const { name } = order;
  return serial(name, `install ${name}`, [
    parallel(
      'nodes',
      `start the nodes of ${name}`,
      order.nodes.map((place, index) => startStorageNode(order, place, index + 1)),
    ),
    replicateShard(order),
    proveShard(order),
  ]);
}
