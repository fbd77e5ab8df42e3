import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { restartRetry } from '../../topology/instances.ts';
import { proveReplicatedWrite } from '../../topology/shard-proof.ts';
import { openSingleNode, startGroupShard, startSemiSyncShard } from '../../topology/shard-replication.ts';
import { freshShard, type ClusterOrder } from '../context.ts';

/** Members of a group join one after another, each with a view change of a few seconds. */
const deadlineMs = 180_000;

export function replicateShard(order: ClusterOrder, shard: number): Step<Services> {
  const name = order.prepared.shards[shard - 1]?.name ?? '';
  return {
    kind: 'step',
    key: 'replicate',
    title: `start replication of ${name}`,
    weight: 2,
    deadlineMs,
    retry: restartRetry,
    async run(context) {
      const fresh = await freshShard(context, order, shard);
      switch (order.paras.ha_mode) {
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

export function proveShard(order: ClusterOrder, shard: number): Step<Services> {
  const name = order.prepared.shards[shard - 1]?.name ?? '';
  return {
    kind: 'step',
    key: 'prove',
    title: `check a replicated write on ${name}`,
    deadlineMs: 60_000,
    async run(context) {
      const { prepared, paras } = order;
      const identity = { clusterName: prepared.clusterName, haMode: paras.ha_mode };
      await proveReplicatedWrite(await freshShard(context, order, shard), identity, context.signal);
      return null;
    },
  };
}
