import type { Step, StepContext } from '../../../jobs/plan.ts';
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
      await replicate(context, order);
      return null;
    },
  };
}

async function replicate(context: StepContext<Services>, order: ShardOrder): Promise<void> {
  const fresh = await freshShard(context, order);
  switch (order.haMode) {
    case 'no_rep':
      return openSingleNode(fresh, context.signal);
    case 'rbr':
      return startSemiSyncShard(fresh, order.fullsyncLevel, context.signal);
    case 'mgr':
      return startGroupShard(fresh, context.signal);
  }
}

export function proveShard(order: ShardOrder): Step<Services> {
  return {
    kind: 'step',
    key: 'prove',
    title: `check a replicated write on ${order.name}`,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      // A server that has died since is back read-only and alone. A group goes on without it, and must not be founded twice.
      if (context.attempt > 1 && order.haMode !== 'mgr') await replicate(context, order);
      await proveReplicatedWrite(await freshShard(context, order), order, context.signal);
      return null;
    },
  };
}
