import { GtidSet } from '../core/gtid-set.ts';
import type { HaMode, StorageNode } from '../core/model.ts';
import { readChannel } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { executedGtids, receivedGtids } from '../engines/mysql/gtid.ts';
import { groupMembers, ownGroupState } from '../engines/mysql/group.ts';
import { isSuperReadOnly } from '../engines/mysql/read-only.ts';
import { acknowledgesSource, readSemiSync } from '../engines/mysql/semi-sync.ts';
import type { SqlSession } from '../engines/sql.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { NodeAnswer, NodeObservation } from './shard-observation.ts';

export interface ManagementAccount {
  readonly user: string;
  readonly password: string;
}

const connectTimeoutMs = 1000;
const statementTimeoutMs = 2000;

/** Asks one node about itself; a node that does not answer in time is an observation too, not an error. */
export async function observeNode(
  node: StorageNode,
  haMode: HaMode,
  account: ManagementAccount,
  signal: AbortSignal,
): Promise<NodeObservation> {
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...account, connectTimeoutMs, statementTimeoutMs };
  try {
    const answer = await withMysql(address, signal, (session) => ask(session, haMode));
    return { node, answer, failure: null };
  } catch (error) {
    signal.throwIfAborted();
    return { node, answer: null, failure: errorText(error) };
  }
}

async function ask(session: SqlSession, haMode: HaMode): Promise<NodeAnswer> {
  const semiSync = await readSemiSync(session);
  const inGroup = haMode === 'mgr';
  const executed = GtidSet.parse(await executedGtids(session));
  return {
    superReadOnly: await isSuperReadOnly(session),
    channel: await readChannel(session),
    acknowledges: await acknowledgesSource(session),
    acknowledgements: semiSync.enabled ? semiSync.waitForReplicaCount : 0,
    gtids: executed.union(GtidSet.parse(await receivedGtids(session))).toString(),
    groupState: inGroup ? await ownGroupState(session) : 'OFFLINE',
    group: inGroup ? await groupMembers(session) : [],
  };
}
