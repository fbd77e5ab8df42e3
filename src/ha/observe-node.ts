import { withDeadline } from '../core/abort.ts';
import { GtidSet } from '../core/gtid-set.ts';
import type { HaMode, StorageNode } from '../core/model.ts';
import { readChannel } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { executedGtids, purgedGtids, receivedGtids } from '../engines/mysql/gtid.ts';
import { groupMembers, ownGroupState } from '../engines/mysql/group.ts';
import { isSuperReadOnly } from '../engines/mysql/read-only.ts';
import { acknowledgesSource, readSemiSync } from '../engines/mysql/semi-sync.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import type { SqlSession } from '../engines/sql.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { NodeAnswer, NodeObservation } from './shard-observation.ts';

export interface ManagementAccount {
  readonly user: string;
  readonly password: string;
}

/** Short, because a failover cannot begin before the silent primary's look has ended. */
const connectTimeoutMs = 700;
const statementTimeoutMs = 1000;
/** Of all statements together. */
const lookTimeoutMs = 1500;
/** ER_CON_COUNT_ERROR, ER_USER_LIMIT_REACHED does not happen: the account has no limit. */
const tooManyConnections = 1040;

/** What one look at a node gives; the rest of its observation is remembered from earlier ones. */
export type NodeLook = Pick<NodeObservation, 'node' | 'answer' | 'failure' | 'busy'>;

/** Asks one node about itself; a node that does not answer in time is an observation too, not an error. */
export async function observeNode(
  node: StorageNode,
  haMode: HaMode,
  account: ManagementAccount,
  signal: AbortSignal,
): Promise<NodeLook> {
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...account, connectTimeoutMs, statementTimeoutMs };
  try {
    const answer = await withDeadline(lookTimeoutMs, signal, (bounded) =>
      withMysql(address, bounded, (session) => ask(session, haMode)),
    );
    return { node, answer, failure: null, busy: false };
  } catch (error) {
    signal.throwIfAborted();
    const busy = error instanceof EngineSqlError && error.errno === tooManyConnections;
    return { node, answer: null, failure: errorText(error), busy };
  }
}

async function ask(session: SqlSession, haMode: HaMode): Promise<NodeAnswer> {
  const semiSync = await readSemiSync(session);
  const inGroup = haMode === 'mgr';
  const executed = GtidSet.parse(await executedGtids(session));
  return {
    superReadOnly: await isSuperReadOnly(session),
    channel: await readChannel(session),
    acknowledgers: semiSync.clients,
    commitsWaiting: semiSync.waiting,
    acknowledges: await acknowledgesSource(session),
    acknowledgements: semiSync.enabled ? semiSync.waitForReplicaCount : 0,
    gtids: executed.union(GtidSet.parse(await receivedGtids(session))).toString(),
    purged: await purgedGtids(session),
    groupState: inGroup ? await ownGroupState(session) : 'OFFLINE',
    group: inGroup ? await groupMembers(session) : [],
  };
}
