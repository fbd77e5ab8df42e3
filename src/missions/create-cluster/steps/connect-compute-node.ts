import { computeNodeId } from '../../../core/ids.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { connectComputeNode } from '../../topology/connect-compute-node.ts';
import type { ComputePlace } from '../../topology/places.ts';
import { recordedCluster, stepPaths } from '../prepared.ts';

/** The compute node learns every shard and proves, by a query through each, that it reads from it. */
export function connect(place: ComputePlace, index: number): Step<Services> {
  return {
    kind: 'step',
    key: `comp_${String(index)}`,
    title: `connect compute node ${String(index)} on ${place.hostaddr} with the shards`,
    deadlineMs: 120_000,
    async run(context) {
      const id = context.outputOf(stepPaths.record, recordedCluster).computeNodeIds[index - 1];
      if (id === undefined) throw new RangeError(`no compute node ${String(index)} was recorded`);
      await connectComputeNode(context.services, computeNodeId(id), context.signal);
      return null;
    },
  };
}
