/**
 * Variables that are not for clients to set, and why. What decides which node may take writes, what a commit waits
 * for, and how a node is reached belongs to the manager, which would otherwise lose track of it or lose data; what
 * names a program or a library would let users of this API run anything on the machine.
 */
const roles = 'it decides which node takes writes, which the manager does';
const durability = 'acknowledged writes could be lost';
const replication = 'the replication of the shard depends on it';
const address = 'the node would no longer be found where the catalog says';
const programs = 'it names what the server executes or loads';
const files = 'it names files of the server, which the agent lays out';

const mysqlVariables: Readonly<Record<string, string>> = {
  super_read_only: roles,
  read_only: roles,
  offline_mode: roles,
  transaction_read_only: roles,
  sync_binlog: durability,
  innodb_flush_log_at_trx_commit: durability,
  innodb_doublewrite: durability,
  gtid_mode: replication,
  enforce_gtid_consistency: replication,
  gtid_purged: replication,
  gtid_executed: replication,
  gtid_next: replication,
  server_id: replication,
  server_uuid: replication,
  log_bin: replication,
  sql_log_bin: replication,
  log_replica_updates: replication,
  log_slave_updates: replication,
  binlog_format: replication,
  binlog_row_image: replication,
  relay_log_recovery: replication,
  replica_preserve_commit_order: replication,
  slave_preserve_commit_order: replication,
  skip_replica_start: replication,
  skip_slave_start: replication,
  replica_net_timeout: replication,
  slave_net_timeout: replication,
  persisted_globals_load: replication,
  partial_revokes: 'the accounts of the cluster depend on it',
  init_connect: programs,
  init_replica: programs,
  init_slave: programs,
  secure_file_priv: files,
  general_log_file: files,
  slow_query_log_file: files,
  report_host: address,
  report_port: address,
};

const mysqlPrefixes: readonly (readonly [string, string])[] = [
  ['group_replication_', replication],
  ['rpl_semi_sync_', durability],
  ['clone_valid_donor_list', replication],
];

const postgresSettings: Readonly<Record<string, string>> = {
  listen_addresses: address,
  port: address,
  unix_socket_directories: address,
  fsync: durability,
  full_page_writes: durability,
  max_prepared_transactions: 'distributed transactions depend on it',
  archive_command: programs,
  archive_library: programs,
  restore_command: programs,
  archive_cleanup_command: programs,
  recovery_end_command: programs,
  ssl_passphrase_command: programs,
  shared_preload_libraries: programs,
  session_preload_libraries: programs,
  local_preload_libraries: programs,
  dynamic_library_path: programs,
  jit_provider: programs,
  data_directory: files,
  config_file: files,
  hba_file: files,
  ident_file: files,
  external_pid_file: files,
  log_directory: files,
  log_filename: files,
  ssl_cert_file: files,
  ssl_key_file: files,
  ssl_ca_file: files,
  password_encryption: 'compute nodes accept scram-sha-256 only',
};

/** Why a client may not set a variable; undefined when it may. `variable` is in lower case. */
export function whyRefused(engine: 'mysql' | 'postgres', variable: string): string | undefined {
  const table = engine === 'mysql' ? mysqlVariables : postgresSettings;
  if (Object.hasOwn(table, variable)) return table[variable];
  if (engine === 'postgres') return undefined;
  return mysqlPrefixes.find(([prefix]) => variable.startsWith(prefix))?.[1];
}
