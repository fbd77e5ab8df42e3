import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import {
  followSource,
  readChannel,
  startApplier,
  stopChannel,
  stopReceiver,
  type ReplicationAccount,
} from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { receivedGtids, waitForGtids } from '../engines/mysql/gtid.ts';
import { makeReadOnly, shutOut } from '../engines/mysql/read-only.ts';
import { readSemiSync } from '../engines/mysql/semi-sync.ts';
import type { SqlSession } from '../engines/sql.ts';
import type { ShardAction } from './diagnosis.ts';
import type { RepairContext } from './repair-context.ts';
import { serviceUsers } from './service-users.ts';

export interface Following {
  readonly node: StorageNode;
  readonly primary: StorageNode;
  readonly replication: ReplicationAccount;
}

/** A look does not wait longer; the next one goes on. */
const applyWaitSeconds = 5;
const statementTimeoutMs = 10_000;

/**
 * Makes a node follow `primary`. The caller has shown that it has nothing which that lacks. Yet what it has received is
 * applied before its relay logs go: until the primary's transactions are on other nodes as well, this may be the second copy.
 */
export async function follow(
  { account, accounts }: RepairContext,
  { node, primary }: Extract<ShardAction, { kind: 'follow' }>,
  signal: AbortSignal,
): Promise<void> {
  const replication = accounts.get('replication');
  if (replication === undefined) throw new KlusterError('metadata', 'the cluster has no replication account');
  const { hostaddr, port } = node;
  await withMysql({ hostaddr, port, ...account, statementTimeoutMs }, signal, async (session) => {
    // Of a former source, which gives up semi-sync now.
    if ((await readSemiSync(session)).enabled) await shutOut(session, serviceUsers(accounts));
    await followIn(session, { node, primary, replication });
  });
}

/** As `follow`, in a session with `node` that is open already. */
export async function followIn(
  session: SqlSession,
  { node, primary, replication }: Following,
): Promise<void> {
  await makeReadOnly(session);
  if ((await readChannel(session)) !== null) await leave(session, colonAddress(node));
  await followSource(session, primary, replication);
}

async function leave(session: SqlSession, at: string): Promise<void> {
  await stopReceiver(session);
  const received = await receivedGtids(session);
  await startApplier(session);
  if (!(await waitForGtids(session, received, applyWaitSeconds))) {
    throw new KlusterError(
      'engine_sql',
      `${at} has not applied what it received from its former source within ${String(applyWaitSeconds)} s`,
    );
  }
  await stopChannel(session);
}
