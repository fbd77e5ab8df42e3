import type { PostgresInstanceSpec } from '../../core/agent-protocol.ts';
import { extensionName } from '../postgres-extension.ts';
import type { PostgresLayout } from './layout.ts';

export type PostgresSettings = Readonly<Record<string, string>>;

/** The agent's own role, for local sockets only. */
export const localRole = 'kluster_agent';
const localMap = 'kluster';

const profiles = {
  normal: { connections: 400, sharedBuffers: '128MB', workMem: '4MB', maxWal: '1GB' },
  small: { connections: 100, sharedBuffers: '32MB', workMem: '2MB', maxWal: '128MB' },
} as const;

/** Every setting of a compute node. */
export function postgresSettings(spec: PostgresInstanceSpec, layout: PostgresLayout): PostgresSettings {
  const profile = profiles[spec.profile];
  const connections = String(spec.maxConnections ?? profile.connections);
  return {
    listen_addresses: spec.hostaddr,
    port: String(spec.port),
    unix_socket_directories: layout.sockets,
    unix_socket_permissions: '0700',
    data_directory: layout.data,
    hba_file: layout.hostAccess,
    ident_file: layout.identities,
    shared_preload_libraries: extensionName,
    max_connections: connections,
    // One for every session: each may be inside a distributed transaction that is being prepared.
    max_prepared_transactions: connections,
    shared_buffers: profile.sharedBuffers,
    work_mem: profile.workMem,
    max_wal_size: profile.maxWal,
    min_wal_size: '32MB',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    password_encryption: 'scram-sha-256',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_destination: 'stderr',
    // Standard error is the log file already; a collector would be one more process to lose lines with.
    logging_collector: 'off',
    log_line_prefix: '%m [%p] ',
    log_min_messages: 'warning',
    // Sessions whose client is gone, and half-open connections, give up their locks within about a minute.
    tcp_keepalives_idle: '30',
    tcp_keepalives_interval: '10',
    tcp_keepalives_count: '3',
    client_connection_check_interval: '10s',
  };
}

function settingValue(value: string): string {
  if (/[\0\n\r]/.test(value))
    throw new RangeError(`not a value of postgresql.conf: ${JSON.stringify(value)}`);
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** The text of postgresql.conf; ALTER SYSTEM writes a file of its own in the data directory, which wins. */
export function postgresConfiguration(spec: PostgresInstanceSpec, layout: PostgresLayout): string {
  const lines = Object.entries(postgresSettings(spec, layout)).map(
    ([name, value]) => `${name} = ${settingValue(value)}`,
  );
  return ['# Written before every start; changes are lost.', ...lines, ''].join('\n');
}

/**
 * The text of pg_hba.conf: passwords over the network, never in clear text; over the socket only the agent's role,
 * proved by the operating system user. There is no line for replication connections: compute nodes have none.
 */
export function postgresHostAccess(): string {
  return [
    `local all ${localRole} peer map=${localMap}`,
    'host all all 0.0.0.0/0 scram-sha-256',
    'host all all ::/0 scram-sha-256',
    '',
  ].join('\n');
}

/** The text of pg_ident.conf: which operating system users may act as the agent's role. */
export function postgresIdentities(systemUsers: readonly string[]): string {
  return [...systemUsers.map((user) => `${localMap} "${user.replaceAll('"', '""')}" ${localRole}`), ''].join(
    '\n',
  );
}
