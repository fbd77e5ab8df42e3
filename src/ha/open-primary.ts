import { KlusterError } from '../core/errors/kluster-error.ts';
import type { StorageNode } from '../core/model.ts';
import { readChannel, removeChannel, stopChannel } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { receivedGtids, waitForGtids } from '../engines/mysql/gtid.ts';
import { makeWritable } from '../engines/mysql/read-only.ts';
import { readSemiSync, requireAcknowledgements } from '../engines/mysql/semi-sync.ts';
import type { SqlSession } from '../engines/sql.ts';
import { demanded } from './degrade.ts';
import type { RepairContext } from './repair-context.ts';

const applyWaitSeconds = 30;

/** Asks the metadata database whether this manager still leads: an old leader must not open or found anything. */
export async function requireOffice({ catalog, shard }: RepairContext, signal: AbortSignal): Promise<void> {
  const known = await catalog.database.write((sql) => catalog.shards.find(sql, shard.id), signal);
  if (known === undefined) {
    throw new KlusterError('internal', `shard ${String(shard.id)} is no longer in the catalog`);
  }
}

/**
 * Lets the recorded primary accept writes: each commit waits for its acknowledgements. With fewer replicas that receive from it
 * than these it is made ready, and stays closed, unless `promised`: so many are being made to follow it at this moment.
 * @returns whether it accepts writes
 */
export async function openPrimary(
  context: RepairContext,
  { node, promised }: { readonly node: StorageNode; readonly promised: number },
  signal: AbortSignal,
): Promise<boolean> {
  await requireOffice(context, signal);
  const { hostaddr, port } = node;
  const acknowledgements = context.cluster.haMode === 'rbr' ? demanded(context.shard) : 0;
  return withMysql({ hostaddr, port, ...context.account }, signal, async (session) => {
    if (promised < acknowledgements) {
      await becomeReady(session, acknowledgements);
      if ((await readSemiSync(session)).clients < acknowledgements) return false;
    }
    await becomePrimary(session, acknowledgements);
    return true;
  });
}

/** Everything that makes a primary but being open. */
async function becomeReady(session: SqlSession, acknowledgements: number): Promise<void> {
  if (acknowledgements > 0) await requireAcknowledgements(session, acknowledgements);
  if ((await readChannel(session)) === null) return;
  await leave(session);
  await removeChannel(session);
}

/** As `openPrimary`, in a session that is open already; the office of the manager was asked for just now. */
export async function becomePrimary(
  session: SqlSession,
  acknowledgements: number,
  onOpen?: () => void,
): Promise<void> {
  const follows = (await readChannel(session)) !== null;
  if (follows) await leave(session);
  if (acknowledgements > 0) await requireAcknowledgements(session, acknowledgements);
  await makeWritable(session);
  onOpen?.();
  // Writes do not wait for this: it takes the longest.
  if (follows) await removeChannel(session);
}

/** A node that was just promoted still has the channel to its former source; all that it received is applied first. */
async function leave(session: SqlSession): Promise<void> {
  const received = await receivedGtids(session);
  if (!(await waitForGtids(session, received, applyWaitSeconds))) {
    throw new KlusterError('engine_sql', `received transactions are not applied yet: ${received}`);
  }
  await stopChannel(session);
}
