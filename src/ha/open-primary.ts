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

interface ToBeOpened {
  readonly node: StorageNode;
  /** So many replicas are being made to follow it at this moment. */
  readonly promised: number;
  /** Called when it accepts writes. */
  readonly onOpen?: () => void;
}

/**
 * Lets the recorded primary accept writes: each commit waits for its acknowledgements. With fewer replicas that receive from it
 * than these, and fewer promised, it is made ready and stays closed.
 * @returns whether it accepts writes
 */
export async function openPrimary(
  context: RepairContext,
  { node, promised, onOpen }: ToBeOpened,
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
    await becomePrimary(session, acknowledgements, onOpen === undefined ? {} : { onOpen });
    return true;
  });
}

/** Everything that makes a primary but being open. */
async function becomeReady(session: SqlSession, acknowledgements: number): Promise<void> {
  if (acknowledgements > 0) await requireAcknowledgements(session, acknowledgements);
  if ((await readChannel(session)) === null) return;
  await leaveSource(session);
  await removeChannel(session);
}

/** What can be done before a node becomes the primary, and what is to be told when it is. */
export interface Opening {
  /** What `leaveSource` has said; absent: it is still to be called. */
  readonly followed?: boolean | undefined;
  /** Called when the node accepts writes. */
  readonly onOpen?: () => void;
}

/** As `openPrimary`, in a session that is open already; the office of the manager was asked for just now. */
export async function becomePrimary(
  session: SqlSession,
  acknowledgements: number,
  { followed, onOpen }: Opening = {},
): Promise<void> {
  const hasChannel = followed ?? (await leaveSource(session));
  if (acknowledgements > 0) await requireAcknowledgements(session, acknowledgements);
  await makeWritable(session);
  onOpen?.();
  // Writes do not wait for this: it takes the longest.
  if (hasChannel) await removeChannel(session);
}

/**
 * A node that was just promoted still has the channel to its former source; all that it received is applied first.
 * @returns whether it has one
 */
export async function leaveSource(session: SqlSession): Promise<boolean> {
  if ((await readChannel(session)) === null) return false;
  const received = await receivedGtids(session);
  if (!(await waitForGtids(session, received, applyWaitSeconds))) {
    throw new KlusterError('engine_sql', `received transactions are not applied yet: ${received}`);
  }
  await stopChannel(session);
  return true;
}
