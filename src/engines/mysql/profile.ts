import type { MysqlInstanceSpec } from '../../core/agent-protocol.ts';

const defaultBufferPoolMb = { normal: 512, small: 32 } as const;
const defaultMaxConnections = { normal: 1000, small: 200 } as const;

/**
 * Many nodes on one machine. Measured with MySQL 9.7.4 on x86-64, VmRSS: 217 MiB after a start, of which 51 MiB are
 * program text that all nodes of a machine share; 430 MiB with the server's own defaults.
 *
 * performance_schema stays on, because replication, clone and group replication show their state there and nowhere
 * else. It only keeps what those tables need: no memory, wait and table statistics, one level of statements.
 */
const small: Readonly<Record<string, string>> = {
  innodb_redo_log_capacity: '64M',
  // 60 MiB less than the default, all of it touched at the start.
  innodb_log_buffer_size: '1M',
  innodb_sort_buffer_size: '256K',
  // Each reserves 256 requests of fs.aio-max-nr (65536 unless somebody raised it); with the defaults, eight, fewer than 30 nodes start.
  innodb_read_io_threads: '1',
  innodb_write_io_threads: '1',
  table_open_cache: '400',
  table_open_cache_instances: '1',
  table_definition_cache: '400',
  key_buffer_size: '1M',
  temptable_max_ram: '16M',
  replica_parallel_workers: '2',
  replica_pending_jobs_size_max: '64M',
  performance_schema_digests_size: '100',
  performance_schema_error_size: '0',
  performance_schema_accounts_size: '10',
  performance_schema_hosts_size: '10',
  performance_schema_users_size: '10',
  performance_schema_events_waits_history_size: '0',
  performance_schema_events_waits_history_long_size: '0',
  performance_schema_events_stages_history_size: '0',
  performance_schema_events_stages_history_long_size: '0',
  performance_schema_events_statements_history_size: '0',
  performance_schema_events_statements_history_long_size: '0',
  performance_schema_events_transactions_history_size: '0',
  performance_schema_events_transactions_history_long_size: '0',
  // Statement memory counts per thread and per level: fewer of both save 23 MiB. More threads than this only lack
  // statistics.
  performance_schema_max_thread_instances: '128',
  performance_schema_max_statement_stack: '1',
  performance_schema_max_digest_length: '256',
  performance_schema_max_sql_text_length: '256',
  performance_schema_max_memory_classes: '0',
  performance_schema_max_mutex_classes: '0',
  performance_schema_max_rwlock_classes: '0',
  performance_schema_max_cond_classes: '0',
  performance_schema_max_file_classes: '0',
  performance_schema_max_socket_classes: '0',
  performance_schema_max_table_instances: '100',
  performance_schema_max_table_handles: '100',
  performance_schema_max_table_lock_stat: '0',
  performance_schema_max_index_stat: '0',
  performance_schema_max_metadata_locks: '1000',
  performance_schema_max_program_instances: '0',
  performance_schema_max_prepared_statements_instances: '0',
  performance_schema_session_connect_attrs_size: '0',
};

/** Messages that group replication keeps for members that were away for a moment; this is the least. */
const smallGroup: Readonly<Record<string, string>> = {
  group_replication_message_cache_size: '134217728',
};

const normal: Readonly<Record<string, string>> = {
  innodb_redo_log_capacity: '1G',
};

/** Settings that decide how much memory a storage node takes. */
export function profileOptions(spec: MysqlInstanceSpec): Readonly<Record<string, string>> {
  const bufferPoolMb = spec.bufferPoolMb ?? defaultBufferPoolMb[spec.profile];
  return {
    ...(spec.profile === 'small' ? small : normal),
    ...(spec.profile === 'small' && spec.groupName !== undefined ? smallGroup : {}),
    innodb_buffer_pool_size: `${String(bufferPoolMb)}M`,
    max_connections: String(spec.maxConnections ?? defaultMaxConnections[spec.profile]),
  };
}

/** glibc keeps up to eight arenas per core and what was freed in them; two are enough for a small node. */
export function profileEnvironment(profile: MysqlInstanceSpec['profile']): Readonly<Record<string, string>> {
  return profile === 'small' ? { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' } : {};
}
