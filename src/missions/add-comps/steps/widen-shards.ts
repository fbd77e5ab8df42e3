import { clusterId } from '../../../core/ids.ts';
import { colonAddress, type StorageNode } from '../../../core/model.ts';
import { errorText } from '../../../core/errors/kluster-error.ts';
import { withMysql } from '../../../engines/mysql/connection.ts';
import { raiseVariable } from '../../../engines/mysql/variables.ts';
import { EngineSqlError } from '../../../engines/sql-error.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts } from '../../topology/accounts.ts';
import type { Context } from '../../topology/orders.ts';
import { storageConnections } from '../../topology/sizing.ts';
import type { AddCompsPrepared } from '../prepared.ts';

/**
 * Each session of each compute node opens one connection to the shard: with more compute nodes, storage nodes must take
 * more. It is only ever raised, so there is nothing to undo; a node that does not answer is named in a note.
 */
export function widenShards(prepared: AddCompsPrepared): Step<Services> {
  return {
    kind: 'step',
    key: 'connections',
    title: 'let the shards take the connections of more compute nodes',
    deadlineMs: 120_000,
    async run(context) {
      const clients = prepared.settings.max_connections;
      if (clients === undefined) return null;
      const { catalog } = context.services;
      const cluster = clusterId(prepared.clusterId);
      const { management } = await readClusterAccounts(context.services, cluster, context.signal);
      const { nodes, comps } = await catalog.database.read(
        async (sql) => ({
          nodes: await catalog.storageNodes.list(sql, { clusterId: cluster }),
          comps: await catalog.computeNodes.list(sql, { clusterId: cluster }),
        }),
        context.signal,
      );
      const connections = storageConnections(clients, comps.length);
      await Promise.all(nodes.map((node) => widen(context, { node, connections, account: management })));
      return { connections };
    },
  };
}

async function widen(
  context: Context,
  order: {
    readonly node: StorageNode;
    readonly connections: number;
    readonly account: { readonly user: string; readonly password: string };
  },
): Promise<void> {
  const { hostaddr, port } = order.node;
  try {
    await withMysql({ hostaddr, port, ...order.account }, context.signal, (session) =>
      raiseVariable(session, 'max_connections', order.connections),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof EngineSqlError)) throw error;
    await context.note(
      `max_connections of ${colonAddress(order.node)} is not raised to ${String(order.connections)}: ${errorText(error)}`,
    );
  }
}
