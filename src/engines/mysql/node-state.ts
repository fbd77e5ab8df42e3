import { numberOf, textOf, type SqlRow, type SqlSession } from '../sql.ts';
import { channelColumns, channelTables, parseChannel, type ChannelState } from './channel.ts';

/** What a server says of itself, as a member of a shard. */
export interface NodeState {
  /** Under which it commits what begins at it. */
  readonly serverUuid: string;
  readonly superReadOnly: boolean;
  /** Null when it has none. */
  readonly channel: ChannelState | null;
  /** Acknowledgements that its commits wait for as a source; 0 when semi-sync is off. */
  readonly acknowledgements: number;
  /** Replicas that are connected to it and may acknowledge. */
  readonly acknowledgers: number;
  /** Sessions whose commit waits for acknowledgements. */
  readonly commitsWaiting: number;
  /** It acknowledges what it receives: semi-sync is active on its channel. */
  readonly acknowledges: boolean;
  readonly executed: string;
  /** Executed transactions that are in none of its binary logs: it cannot send them to a replica. */
  readonly purged: string;
  /** What its channels have received, applied or not. */
  readonly received: string;
}

const status = (name: string): string =>
  `(SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = '${name}')`;

/** Everything in one round trip. An array of texts, because GROUP_CONCAT cuts off. */
const nodeStateStatement = `
  SELECT @@GLOBAL.server_uuid AS server_uuid,
         @@GLOBAL.super_read_only AS super_read_only,
         @@GLOBAL.rpl_semi_sync_source_enabled AS semi_sync,
         @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count AS wait_for,
         COALESCE(${status('Rpl_semi_sync_source_clients')}, 0) AS clients,
         COALESCE(${status('Rpl_semi_sync_source_wait_sessions')}, 0) AS waiting,
         COALESCE(${status('Rpl_semi_sync_replica_status')}, 'OFF') AS acknowledges,
         @@GLOBAL.gtid_executed AS executed,
         @@GLOBAL.gtid_purged AS purged,
         COALESCE(CAST((SELECT JSON_ARRAYAGG(RECEIVED_TRANSACTION_SET)
                          FROM performance_schema.replication_connection_status
                         WHERE RECEIVED_TRANSACTION_SET <> '') AS CHAR), '[]') AS received,
         ${channelColumns}
    FROM ${channelTables}`;

export async function readNodeState(session: Pick<SqlSession, 'query'>): Promise<NodeState> {
  const [row] = await session.query(nodeStateStatement);
  if (row === undefined) throw new TypeError('a server gave no row about itself');
  return parseNodeState(row);
}

function parseNodeState(row: SqlRow): NodeState {
  const received: unknown = JSON.parse(textOf(row, 'received'));
  return {
    serverUuid: textOf(row, 'server_uuid'),
    superReadOnly: numberOf(row, 'super_read_only') === 1,
    channel: parseChannel(row),
    acknowledgements: numberOf(row, 'semi_sync') === 1 ? numberOf(row, 'wait_for') : 0,
    acknowledgers: numberOf(row, 'clients'),
    commitsWaiting: numberOf(row, 'waiting'),
    acknowledges: textOf(row, 'acknowledges') === 'ON',
    executed: textOf(row, 'executed'),
    purged: textOf(row, 'purged'),
    received: Array.isArray(received) ? received.join(',') : '',
  };
}
