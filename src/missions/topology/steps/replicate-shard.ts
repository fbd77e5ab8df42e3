import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { restartRetry } from '../instances.ts';
import { freshShard, type ShardOrder } from '../orders.ts';
import { proveReplicatedWrite } from '../shard-proof.ts';
import { openSingleNode, startGroupShard, startSemiSyncShard } from '../shard-replication.ts';

/** Members of a group join one after another, each with a view change of a few seconds. */
const deadlineMs = 180_000;

export function replicateShard(order: ShardOrder): Step<Services> {
  return {
    kind: 'step',
    key: 'replicate',
    title: `start replication of ${order.name}`,
    weight: 2,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      const fresh = await freshShard(context, order);
      switch (order.haMode) {
        case 'no_rep':
          await openSingleNode(fresh, context.signal);
          break;
        case 'rbr':
          await startSemiSyncShard(fresh, order.fullsyncLevel, context.signal);
          break;
        case 'mgr':
          await startGroupShard(fresh, context.signal);
          break;
      }
      return null;
    },
  };
}

export function proveShard(order: ShardOrder): Step<Services> {
  return {
    kind: 'step',
    key: 'prove',
    title: `check a replicated write on ${order.name}`,
    deadlineMs: 60_000,
    async run(context) {
      await proveReplicatedWrite(await freshShard(context, order), order, context.signal);
      return null;
    },
  };
}
