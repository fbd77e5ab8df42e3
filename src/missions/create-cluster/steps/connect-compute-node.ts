import { KlusterError } from '../../../core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../../../core/model.ts';
import { defineApplicationRole } from '../../../engines/postgres/application-role.ts';
import { withPostgres } from '../../../engines/postgres/connection.ts';
import { defineStorageServer, readShardIdentity } from '../../../engines/postgres/storage-servers.ts';
import type { SqlSession } from '../../../engines/sql.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { readClusterAccounts, type ClusterAccounts } from '../../topology/accounts.ts';
import { registeredId, type ClusterOrder, type Context } from '../context.ts';
import { startedInstance, stepPaths, type ComputePlace } from '../prepared.ts';

/** The compute node learns every shard and proves, by a query through each, that it reads from it. */
export function connectComputeNode(order: ClusterOrder, place: ComputePlace, index: number): Step<Services> {
  return {
    kind: 'step',
    key: `comp_${String(index)}`,
    title: `connect compute node ${String(index)} on ${place.hostaddr} with the shards`,
    deadlineMs: 120_000,
    async run(context) {
      const { services, signal } = context;
      const accounts = await readClusterAccounts(services, registeredId(context), signal);
      const { port } = context.outputOf(stepPaths.computeNode(index), startedInstance);
      const at: HostPort = { hostaddr: place.hostaddr, port };
      await withPostgres({ ...at, ...accounts.compute_superuser }, signal, async (session) => {
        await defineApplicationRole(session, accounts.application);
        for (const shard of order.prepared.shards.keys()) {
          await connectShard({ context, order, session, accounts, at }, shard + 1);
        }
      });
      return null;
    },
  };
}

interface Connecting {
  readonly context: Context;
  readonly order: ClusterOrder;
  readonly session: SqlSession;
  readonly accounts: ClusterAccounts;
  readonly at: HostPort;
}

async function connectShard(connecting: Connecting, shard: number): Promise<void> {
  const { context, order, session, accounts, at } = connecting;
  const planned = order.prepared.shards[shard - 1];
  const primary = planned?.nodes[0];
  if (planned === undefined || primary === undefined)
    throw new RangeError(`no shard ${String(shard)} in the plan`);
  const { port } = context.outputOf(stepPaths.storageNode(shard, 1), startedInstance);
  await defineStorageServer(
    session,
    { name: planned.name, primary: { hostaddr: primary.hostaddr, port }, account: accounts.compute },
    accounts.application.user,
  );
  const identity = await readShardIdentity(session, planned.name);
  if (identity?.clusterName === order.prepared.clusterName && identity.shardName === planned.name) return;
  const found = identity === null ? 'nothing' : `${identity.clusterName}/${identity.shardName}`;
  throw new KlusterError(
    'computer_install_failed',
    `compute node ${colonAddress(at)} read ${found} from ${planned.name} of ${order.prepared.clusterName}`,
  );
}
