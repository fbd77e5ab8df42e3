import { withDeadline } from '../core/abort.ts';
import { GtidSet } from '../core/gtid-set.ts';
import type { HaMode, StorageNode } from '../core/model.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { readGroup } from '../engines/mysql/group.ts';
import { readNodeState } from '../engines/mysql/node-state.ts';
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
  const { executed, received, ...state } = await readNodeState(session);
  const { own, members } =
    haMode === 'mgr' ? await readGroup(session) : { own: 'OFFLINE' as const, members: [] };
  return {
    ...state,
    gtids: GtidSet.parse(executed).union(GtidSet.parse(received)).toString(),
    groupState: own,
    group: members,
  };
}
