import type { HostPort } from '../../core/model.ts';
import { numberOf, textOf, textOrNull, type SqlRow, type SqlSession } from '../sql.ts';
import { quoteText } from './quote.ts';

/** The replication channel of every rbr shard: compute nodes and consoles look for this name. */
const replicationChannel = 'kunlun_repl';

export interface ReplicationAccount {
  readonly user: string;
  readonly password: string;
}

export interface ChannelState {
  readonly source: HostPort;
  /** Connected to its source; one that is trying to connect is not. */
  readonly receiverRunning: boolean;
  /** It is meant to run, and has no connection: it tries again every second. */
  readonly connecting: boolean;
  /** Milliseconds since the source was last heard over this connection; null when it was not yet. */
  readonly heardMs: number | null;
  readonly applierRunning: boolean;
  /** The last error of either thread, or null; of the receiver also one that has passed. */
  readonly error: string | null;
  /** What the applier has stopped with. */
  readonly applierError: string | null;
}

/** Of the tables of `channelTables`, for `parseChannel`. */
export const channelColumns = `
  c.HOST AS hostaddr, c.PORT AS port, r.SERVICE_STATE AS receiver, a.SERVICE_STATE AS applier,
  r.LAST_ERROR_MESSAGE AS receiver_error,
  TIMESTAMPDIFF(MICROSECOND, NULLIF(GREATEST(r.LAST_HEARTBEAT_TIMESTAMP,
    r.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP, r.QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP), 0), NOW(6))
    DIV 1000 AS heard_ms,
  COALESCE((SELECT MAX(w.LAST_ERROR_MESSAGE) FROM performance_schema.replication_applier_status_by_worker w
             WHERE w.CHANNEL_NAME = c.CHANNEL_NAME), '') AS worker_error,
  COALESCE((SELECT o.LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator o
             WHERE o.CHANNEL_NAME = c.CHANNEL_NAME), '') AS coordinator_error`;

/** One row, also on a server that has no channel. */
export const channelTables = `
  (SELECT 1) AS one_row
  LEFT JOIN performance_schema.replication_connection_configuration c ON c.CHANNEL_NAME = '${replicationChannel}'
  LEFT JOIN performance_schema.replication_connection_status r ON r.CHANNEL_NAME = c.CHANNEL_NAME
  LEFT JOIN performance_schema.replication_applier_status a ON a.CHANNEL_NAME = c.CHANNEL_NAME`;

/** The state of the channel, or null when the server has none. */
export async function readChannel(session: SqlSession): Promise<ChannelState | null> {
  const [row] = await session.rows(`SELECT ${channelColumns} FROM ${channelTables}`);
  return row === undefined ? null : parseChannel(row);
}

export function parseChannel(row: SqlRow): ChannelState | null {
  // Between two reads of one statement the channel may be removed.
  if (textOrNull(row, 'hostaddr') === null || textOrNull(row, 'receiver') === null) return null;
  if (textOrNull(row, 'applier') === null) return null;
  const applierErrors = [textOf(row, 'worker_error'), textOf(row, 'coordinator_error')];
  const applierError = applierErrors.find((message) => message !== '') ?? null;
  const receiverError = textOf(row, 'receiver_error');
  return {
    source: { hostaddr: textOf(row, 'hostaddr'), port: numberOf(row, 'port') },
    receiverRunning: textOf(row, 'receiver') === 'ON',
    connecting: textOf(row, 'receiver') === 'CONNECTING',
    heardMs: textOrNull(row, 'heard_ms') === null ? null : Math.max(0, numberOf(row, 'heard_ms')),
    applierRunning: textOf(row, 'applier') === 'ON',
    error: receiverError === '' ? applierError : receiverError,
    applierError,
  };
}

/** A source sends its replicas something every 500 ms: a replica that hears nothing for so long is a witness. */
export const freshHeartbeatMs = 1600;

/** The same for whoever may read nothing but the state of the connection; null: the server is not meant to receive. */
export const hearingStatement = `
  SELECT SERVICE_STATE AS receiver,
         TIMESTAMPDIFF(MICROSECOND, NULLIF(GREATEST(LAST_HEARTBEAT_TIMESTAMP,
           LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP, QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP), 0), NOW(6))
           DIV 1000 AS heard_ms
    FROM performance_schema.replication_connection_status
   WHERE CHANNEL_NAME = ${quoteText(replicationChannel)} AND SERVICE_STATE <> 'OFF'`;

/** What `hearingStatement` gives: whether the server hears from its source; null when it is not meant to. */
export function hearsSource([row]: readonly SqlRow[]): boolean | null {
  if (row === undefined) return null;
  if (textOf(row, 'receiver') !== 'ON') return false;
  return textOrNull(row, 'heard_ms') === null || numberOf(row, 'heard_ms') < freshHeartbeatMs;
}

/**
 * Makes a fresh node a replica of `source` and starts it. The caller has proved that the node holds nothing that the
 * source lacks: changing the source of a running replica purges its relay logs, and acknowledged transactions with
 * them (manual 15.4.2.2).
 *
 * Connections are retried every second without end in practice, with a heartbeat twice a second: a replica that
 * has not heard its source for longer than that is a witness of its death, long before `replica_net_timeout` (4 s) ends the
 * connection.
 */
export async function followSource(
  session: SqlSession,
  source: HostPort,
  account: ReplicationAccount,
): Promise<void> {
  await session.execute('SET PERSIST rpl_semi_sync_replica_enabled = ON');
  await pointChannel(session, source, account);
  await startChannel(session);
}

/**
 * As `followSource`, but what the node receives does not count as acknowledged: for a node that is not, or not yet
 * again, among those that a failover asks.
 */
export async function followQuietly(
  session: SqlSession,
  source: HostPort,
  account: ReplicationAccount,
): Promise<void> {
  await session.execute('SET PERSIST rpl_semi_sync_replica_enabled = OFF');
  await pointChannel(session, source, account);
  await startChannel(session);
}

/** From the next connection on, which is made at once, the source counts on what this replica has received. */
export async function startAcknowledging(session: SqlSession): Promise<void> {
  await session.execute('SET PERSIST rpl_semi_sync_replica_enabled = ON');
  await stopReceiver(session);
  await session.query(`START REPLICA IO_THREAD FOR CHANNEL ${quoteText(replicationChannel)}`);
}

async function pointChannel(
  session: SqlSession,
  source: HostPort,
  account: ReplicationAccount,
): Promise<void> {
  // A former source would wait for acknowledgements of what it applies, and nobody follows it.
  await session.execute('SET PERSIST rpl_semi_sync_source_enabled = OFF');
  await session.query(
    `CHANGE REPLICATION SOURCE TO
       SOURCE_HOST = ${quoteText(source.hostaddr)}, SOURCE_PORT = ${String(source.port)},
       SOURCE_USER = ${quoteText(account.user)}, SOURCE_PASSWORD = ${quoteText(account.password)},
       SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400,
       SOURCE_HEARTBEAT_PERIOD = 0.5 FOR CHANNEL ${quoteText(replicationChannel)}`,
  );
}

/** No transaction is received, hence none acknowledged, from here on. */
export async function stopReceiver(session: SqlSession): Promise<void> {
  await session.query(`STOP REPLICA IO_THREAD FOR CHANNEL ${quoteText(replicationChannel)}`);
}

/** What has been received is applied; nothing new is received. */
export async function startApplier(session: SqlSession): Promise<void> {
  await session.query(`START REPLICA SQL_THREAD FOR CHANNEL ${quoteText(replicationChannel)}`);
}

/** Stops the channel and keeps what it has received. */
export async function stopChannel(session: SqlSession): Promise<void> {
  await session.query(`STOP REPLICA FOR CHANNEL ${quoteText(replicationChannel)}`);
}

/**
 * Takes the channel away, with its relay logs: everything received must have been applied. ALL, because compute nodes
 * take a server that still names a source for a replica.
 */
export async function removeChannel(session: SqlSession): Promise<void> {
  await stopChannel(session);
  await session.query(`RESET REPLICA ALL FOR CHANNEL ${quoteText(replicationChannel)}`);
}

/** The replicas that receive from this server now, as they call themselves. */
export async function connectedReplicas(session: SqlSession): Promise<readonly HostPort[]> {
  const rows = await session.query('SHOW REPLICAS');
  return rows.map((row) => ({ hostaddr: textOf(row, 'Host'), port: numberOf(row, 'Port') }));
}

/** A clone brings the channels of its donor along, without their relay logs. */
export async function dropForeignChannels(session: SqlSession): Promise<void> {
  await session.query('STOP REPLICA');
  await session.query('RESET REPLICA ALL');
}

export async function startChannel(session: SqlSession): Promise<void> {
  await session.query(`START REPLICA FOR CHANNEL ${quoteText(replicationChannel)}`);
}
