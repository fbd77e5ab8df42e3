import type { StorageNode } from '../core/model.ts';
import { startChannel } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { leaveGroup } from '../engines/mysql/group.ts';
import { shutOut } from '../engines/mysql/read-only.ts';
import { commitNothing } from '../engines/mysql/semi-sync.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import type { ShardAction } from './diagnosis.ts';
import { failOver } from './fail-over.ts';
import { follow } from './follow.ts';
import { foundAgain, joinAgain } from './join-again.ts';
import { killServer } from './kill-server.ts';
import { serviceUsers } from './service-users.ts';
import { openPrimary, requireOffice } from './open-primary.ts';
import { changeAcknowledgements } from './set-acknowledgements.ts';
import { pushTopology } from './push-topology.ts';
import { requestRebuild } from './rebuild-request.ts';
import type { RepairContext } from './repair-context.ts';

/** Of actions that say nothing else. */
const statementTimeoutMs = 60_000;
const closeWaitMs = 3000;
const commitWaitMs = 5000;

/** Does the one action of a diagnosis. Each may be repeated. */
export async function repairShard(
  context: RepairContext,
  action: ShardAction,
  signal: AbortSignal,
): Promise<void> {
  if (action.kind === 'reroute') return pushTopology(context.catalog, action.comp.id, signal);
  const { hostaddr, port } = action.node;
  const address = { hostaddr, port, ...context.account, statementTimeoutMs };
  switch (action.kind) {
    case 'close':
      return closeNode(context, action.node, signal);
    case 'kill':
      return killServer(context, action.node, signal);
    case 'open':
      await openPrimary(context, { node: action.node, promised: 0 }, signal);
      return;
    case 'commit_nothing':
      await requireOffice(context, signal);
      return withMysql({ ...address, statementTimeoutMs: commitWaitMs }, signal, commitNothing);
    case 'start_replica':
      return withMysql(address, signal, startChannel);
    case 'rebuild':
      return requestRebuild(context, action, signal);
    case 'follow':
      return follow(context, action, signal);
    case 'fail_over':
    case 'hand_over':
      return failOver(context, action, signal);
    case 'set_acknowledgements':
      return changeAcknowledgements(context, action, signal);
    case 'join_group':
      return withMysql(address, signal, joinAgain);
    case 'leave_group':
      await requireOffice(context, signal);
      return withMysql(address, signal, leaveGroup);
    case 'bootstrap_group':
      await requireOffice(context, signal);
      return withMysql(address, signal, foundAgain);
    case 'record_primary':
      return recordPrimary(context, action.node, signal);
  }
}

/**
 * Commits that wait for acknowledgements which never come keep super_read_only waiting too. Then the server is killed and
 * started again: it comes back read-only, and is compared before it may follow. Not by RESTART or SHUTDOWN: a server that
 * shuts down in order without enough replicas turns semi-sync off ("SEMISYNC: Forced shutdown"), and so tells waiting
 * clients that their writes are committed, which its successor does not have.
 */
async function closeNode(context: RepairContext, node: StorageNode, signal: AbortSignal): Promise<void> {
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...context.account };
  try {
    await withMysql({ ...address, statementTimeoutMs: closeWaitMs }, signal, (session) =>
      shutOut(session, serviceUsers(context.accounts)),
    );
  } catch (error) {
    if (!(error instanceof EngineSqlError)) throw error;
    await killServer(context, node, signal);
  }
}

async function recordPrimary(
  { catalog, shard }: RepairContext,
  node: StorageNode,
  signal: AbortSignal,
): Promise<void> {
  await catalog.database.write((sql) => catalog.storageNodes.setPrimary(sql, shard.id, node.id), signal);
}
