import { KlusterError } from '../core/errors/kluster-error.ts';
import type { HostPort } from '../core/model.ts';
import {
  followSource,
  readChannel,
  startApplier,
  stopChannel,
  stopReceiver,
  type ReplicationAccount,
} from '../engines/mysql/channel.ts';
import { receivedGtids, waitForGtids } from '../engines/mysql/gtid.ts';
import { makeReadOnly } from '../engines/mysql/read-only.ts';
import type { SqlSession } from '../engines/sql.ts';

const applyWaitSeconds = 30;

/**
 * Makes a node a replica of another primary. The caller has shown that it has nothing which the primary lacks. What it
 * has received is applied before its relay logs go: until it had fetched that again, it would be one holder less of
 * acknowledged transactions, and the proof of the next failover counts on it.
 */
export async function followPrimary(
  session: SqlSession,
  primary: HostPort,
  account: ReplicationAccount,
): Promise<void> {
  await makeReadOnly(session);
  if ((await readChannel(session)) !== null) {
    await stopReceiver(session);
    await startApplier(session);
    const received = await receivedGtids(session);
    if (!(await waitForGtids(session, received, applyWaitSeconds))) {
      throw new KlusterError('engine_sql', `received transactions are not applied yet: ${received}`);
    }
    await stopChannel(session);
  }
  await followSource(session, primary, account);
}
