import type { MysqlInstanceSpec } from '../../core/agent-protocol.ts';

const defaultBufferPoolMb = { normal: 512, small: 48 } as const;
const defaultMaxConnections = { normal: 1000, small: 200 } as const;

/** Many nodes on one machine: every cache small, performance_schema just large enough for replication's tables. */
const small: Readonly<Record<string, string>> = {
  innodb_redo_log_capacity: '64M',
  innodb_log_buffer_size: '1M',
  innodb_sort_buffer_size: '256K',
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
  performance_schema_max_thread_instances: '300',
  performance_schema_max_mutex_instances: '0',
  performance_schema_max_rwlock_instances: '0',
  performance_schema_max_cond_instances: '0',
  performance_schema_max_file_instances: '0',
  performance_schema_max_socket_instances: '0',
  performance_schema_max_table_instances: '100',
  performance_schema_max_table_handles: '100',
  performance_schema_max_table_lock_stat: '0',
  performance_schema_max_index_stat: '0',
  performance_schema_max_metadata_locks: '1000',
  performance_schema_max_program_instances: '0',
  performance_schema_max_prepared_statements_instances: '0',
  performance_schema_session_connect_attrs_size: '0',
};

const normal: Readonly<Record<string, string>> = {
  innodb_redo_log_capacity: '1G',
};

/** Settings that decide how much memory a storage node takes. */
export function profileOptions(spec: MysqlInstanceSpec): Readonly<Record<string, string>> {
  const bufferPoolMb = spec.bufferPoolMb ?? defaultBufferPoolMb[spec.profile];
  return {
    ...(spec.profile === 'small' ? small : normal),
    innodb_buffer_pool_size: `${String(bufferPoolMb)}M`,
    max_connections: String(spec.maxConnections ?? defaultMaxConnections[spec.profile]),
  };
}

/** glibc keeps up to eight arenas per core and what was freed in them; two are enough for a small node. */
export function profileEnvironment(profile: MysqlInstanceSpec['profile']): Readonly<Record<string, string>> {
  return profile === 'small' ? { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' } : {};
}
