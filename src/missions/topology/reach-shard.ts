import { errorText, KlusterError } from '../../core/errors/kluster-error.ts';
import { computeNodeId } from '../../core/ids.ts';
import { withPostgres } from '../../engines/postgres/connection.ts';
import { readIdentityAhead } from '../../engines/postgres/shards.ts';
import { EngineSqlError } from '../../engines/sql-error.ts';
import type { SqlSession } from '../../engines/sql.ts';
import type { Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { freshShard, type Context, type ShardOrder } from './orders.ts';
import type { NamedComp } from './tell-compute-nodes.ts';

const deadlineMs = 60_000;
const connectTimeoutMs = 2000;

/**
 * Before anybody can use the new shards: a compute node that answers must be able to read from each. Nothing of it
 * stays on the compute node.
 */
export function reachShards(orders: readonly ShardOrder[], comp: NamedComp): Step<Services> {
  return {
    kind: 'step',
    key: comp.name,
    title: `check that ${comp.name} reaches the new shards`,
    deadlineMs,
    async run(context) {
      const { catalog } = context.services;
      const { at, superuser } = await catalog.database.read(
        (sql) => catalog.topologies.wanted(sql, computeNodeId(comp.id)),
        context.signal,
      );
      const answered = { yet: false };
      try {
        await withPostgres({ ...at, ...superuser, connectTimeoutMs }, context.signal, async (session) => {
          answered.yet = true;
          for (const order of orders) await reachShard(context, session, order, comp);
        });
      } catch (error) {
        context.signal.throwIfAborted();
        if (answered.yet || !(error instanceof EngineSqlError)) throw error;
        await context.note(`${comp.name} does not answer, so it was not asked: ${errorText(error)}`);
      }
      return { reached: answered.yet };
    },
  };
}

async function reachShard(
  context: Context,
  session: SqlSession,
  order: ShardOrder,
  comp: NamedComp,
): Promise<void> {
  const { members } = await freshShard(context, order);
  const [member] = members;
  const identity = await readIdentityAhead(session, member);
  if (identity?.clusterName === order.clusterName && identity.shardName === order.name) return;
  throw new KlusterError(
    'storage_install_failed',
    `${comp.name} does not read ${order.name} of ${order.clusterName}`,
  );
}
