import { KlusterError } from '../core/errors/kluster-error.ts';
import type { Shard, StorageNode } from '../core/model.ts';
import {
  followSource,
  readChannel,
  removeChannel,
  startChannel,
  stopChannel,
} from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { bootstrapGroup, joinGroup, leaveGroup, ownGroupState } from '../engines/mysql/group.ts';
import { receivedGtids, waitForGtids } from '../engines/mysql/gtid.ts';
import { makeReadOnly, makeWritable } from '../engines/mysql/read-only.ts';
import { requireAcknowledgements } from '../engines/mysql/semi-sync.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import type { SqlSession } from '../engines/sql.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Credential } from '../catalog/credentials.ts';
import type { ShardAction } from './diagnosis.ts';
import { failOver } from './fail-over.ts';
import type { ManagementAccount } from './observe-node.ts';
import { pushTopology } from './push-topology.ts';

export interface RepairContext {
  readonly shard: Shard;
  readonly account: ManagementAccount;
  /** Every account of the cluster by its purpose. */
  readonly accounts: ReadonlyMap<string, Credential>;
  readonly catalog: Catalog;
}

/** A member that joins fetches what it misses first; START GROUP_REPLICATION returns when it has joined. */
const joinTimeoutMs = 60_000;
const applyWaitSeconds = 30;
const closeWaitMs = 3000;

/** Does the one action of a diagnosis. Each may be repeated. */
export async function repairShard(
  context: RepairContext,
  action: ShardAction,
  signal: AbortSignal,
): Promise<void> {
  if (action.kind === 'reroute') return pushTopology(context.catalog, action.comp.id, signal);
  const { hostaddr, port } = action.node;
  const address = { hostaddr, port, ...context.account, statementTimeoutMs: joinTimeoutMs };
  switch (action.kind) {
    case 'close':
      return closeNode(context, action.node, signal);
    case 'open':
      return openPrimary(context, action.node, signal);
    case 'start_replica':
      return withMysql(address, signal, startChannel);
    case 'follow':
      return follow(context, action, signal);
    case 'fail_over':
      return failOver(context, action, signal);
    case 'join_group':
      return withMysql(address, signal, async (session) => {
        if ((await ownGroupState(session)) === 'ERROR') await leaveGroup(session);
        // A member that was expelled has shut its clients out (group_replication_exit_state_action).
        await session.execute('SET GLOBAL offline_mode = OFF');
        await joinGroup(session);
      });
    case 'bootstrap_group':
      await requireOffice(context, signal);
      return withMysql(address, signal, bootstrapGroup);
    case 'record_primary':
      return recordPrimary(context, action.node, signal);
  }
}

/** Asks the metadata database whether this manager still leads: an old leader must not open or found anything. */
async function requireOffice({ catalog, shard }: RepairContext, signal: AbortSignal): Promise<void> {
  const known = await catalog.database.write((sql) => catalog.shards.find(sql, shard.id), signal);
  if (known === undefined) {
    throw new KlusterError('internal', `shard ${String(shard.id)} is no longer in the catalog`);
  }
}

async function openPrimary(context: RepairContext, node: StorageNode, signal: AbortSignal): Promise<void> {
  await requireOffice(context, signal);
  const { hostaddr, port } = node;
  await withMysql({ hostaddr, port, ...context.account }, signal, async (session) => {
    await detach(session);
    const { fullsyncLevel } = context.shard;
    if (fullsyncLevel > 0) await requireAcknowledgements(session, fullsyncLevel);
    await makeWritable(session);
  });
}

/** A node that was just promoted still has the channel to its former source; all that it received is applied first. */
async function detach(session: SqlSession): Promise<void> {
  if ((await readChannel(session)) === null) return;
  const received = await receivedGtids(session);
  if (!(await waitForGtids(session, received, applyWaitSeconds))) {
    throw new KlusterError('engine_sql', `received transactions are not applied yet: ${received}`);
  }
  await removeChannel(session);
}

/** The diagnosis has shown that the node has nothing which the primary lacks: its relay logs may go. */
async function follow(
  { account, accounts }: RepairContext,
  { node, primary }: Extract<ShardAction, { kind: 'follow' }>,
  signal: AbortSignal,
): Promise<void> {
  const replication = accounts.get('replication');
  if (replication === undefined) throw new KlusterError('metadata', 'the cluster has no replication account');
  const { hostaddr, port } = node;
  await withMysql({ hostaddr, port, ...account }, signal, async (session) => {
    await makeReadOnly(session);
    if ((await readChannel(session)) !== null) await stopChannel(session);
    await followSource(session, primary, replication);
  });
}

/**
 * Commits that wait for acknowledgements which never come keep super_read_only waiting too. Then the server is told to
 * restart: it comes back read-only (its agent starts it again), and is compared before it may follow.
 */
async function closeNode(context: RepairContext, node: StorageNode, signal: AbortSignal): Promise<void> {
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...context.account };
  try {
    await withMysql({ ...address, statementTimeoutMs: closeWaitMs }, signal, makeReadOnly);
  } catch (error) {
    if (!(error instanceof EngineSqlError)) throw error;
    await withMysql(address, signal, (session) => session.query('RESTART').then(() => undefined));
  }
}

async function recordPrimary(
  { catalog, shard }: RepairContext,
  node: StorageNode,
  signal: AbortSignal,
): Promise<void> {
  await catalog.database.write((sql) => catalog.storageNodes.setPrimary(sql, shard.id, node.id), signal);
}
