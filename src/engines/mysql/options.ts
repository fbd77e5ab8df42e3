import type { MysqlInstanceSpec } from '../../core/agent-protocol.ts';
import type { MysqlInstallation } from '../installation.ts';
import { mysqlDialect } from './dialect.ts';
import type { MysqlLayout } from './layout.ts';
import { profileOptions } from './profile.ts';

export type MysqlOptions = Readonly<Record<string, string>>;

export interface MysqlOptionsInput {
  readonly spec: MysqlInstanceSpec;
  readonly layout: MysqlLayout;
  readonly installation: Pick<
    MysqlInstallation,
    'basedir' | 'pluginDirectory' | 'messagesDirectory' | 'version'
  >;
}

/** Beyond this semi-sync gives up waiting and turns asynchronous: 49 days, the most that every version takes. */
const neverMs = '4294967295';

function identity({ spec }: MysqlOptionsInput): MysqlOptions {
  return {
    server_id: String(spec.serverId),
    bind_address: spec.hostaddr,
    port: String(spec.port),
    report_host: spec.hostaddr,
    report_port: String(spec.port),
    // Accounts name no host names; a slow name server must not stall logins.
    skip_name_resolve: 'ON',
    mysqlx: 'OFF',
  };
}

function places({ layout, installation }: MysqlOptionsInput): MysqlOptions {
  return {
    basedir: installation.basedir,
    plugin_dir: installation.pluginDirectory,
    lc_messages_dir: installation.messagesDirectory,
    datadir: layout.data,
    tmpdir: layout.temporary,
    innodb_log_group_home_dir: layout.redo,
    log_bin: `${layout.binlog}/binlog`,
    relay_log: `${layout.binlog}/relay`,
    log_error: layout.errorLog,
    pid_file: layout.pidFile,
    socket: layout.socket,
    secure_file_priv: 'NULL',
  };
}

/** Nothing acknowledged is lost when the process or the machine dies. */
const durability: MysqlOptions = {
  sync_binlog: '1',
  innodb_flush_log_at_trx_commit: '1',
  innodb_doublewrite: 'ON',
  gtid_mode: 'ON',
  enforce_gtid_consistency: 'ON',
  binlog_row_image: 'FULL',
  log_replica_updates: 'ON',
  max_binlog_size: '256M',
  binlog_expire_logs_seconds: '604800',
};

/** Only the manager that holds office makes a node writable or starts its replication. */
const passivity: MysqlOptions = {
  read_only: 'ON',
  super_read_only: 'ON',
  skip_replica_start: 'ON',
  event_scheduler: 'OFF',
};

const replication: MysqlOptions = {
  // Recovery would throw away relay logs whose transactions this replica has acknowledged.
  relay_log_recovery: 'OFF',
  replica_preserve_commit_order: 'ON',
  // The default of 60 s is how long a replica would not notice that its source is gone.
  replica_net_timeout: '4',
  rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
  rpl_semi_sync_source_timeout: neverMs,
  // Waiting goes on when replicas leave: the manager decides on degrading, the engine never does.
  rpl_semi_sync_source_wait_no_replica: 'ON',
};

const language: MysqlOptions = {
  character_set_server: 'utf8mb4',
  collation_server: 'utf8mb4_0900_bin',
  default_time_zone: '+00:00',
};

const protection: MysqlOptions = {
  partial_revokes: 'ON',
  local_infile: 'OFF',
  log_error_suppression_list: '',
};

/** Queries of existing consoles on the metadata tables select columns that they do not group by. */
function strictness({ spec }: MysqlOptionsInput): MysqlOptions {
  const modes = ['STRICT_TRANS_TABLES', 'NO_ZERO_IN_DATE', 'NO_ZERO_DATE', 'ERROR_FOR_DIVISION_BY_ZERO'];
  const grouping = spec.labels['role'] === 'metadata' ? [] : ['ONLY_FULL_GROUP_BY'];
  return { sql_mode: [...grouping, ...modes, 'NO_ENGINE_SUBSTITUTION'].join(',') };
}

function group({ spec }: MysqlOptionsInput): MysqlOptions {
  if (spec.groupName === undefined) return {};
  return {
    group_replication_group_name: spec.groupName,
    group_replication_local_address: `${spec.hostaddr}:${String(spec.groupReplicationPort)}`,
    group_replication_communication_stack: 'XCOM',
    group_replication_start_on_boot: 'OFF',
    group_replication_bootstrap_group: 'OFF',
    group_replication_single_primary_mode: 'ON',
    group_replication_enforce_update_everywhere_checks: 'OFF',
    // A new primary serves nobody before it has applied what the old one had committed.
    group_replication_consistency: 'BEFORE_ON_PRIMARY_FAILOVER',
    // The failure detector needs 5 s (fixed); waiting longer before expelling only prolongs the outage.
    group_replication_member_expel_timeout: '0',
    // A primary cut off from the majority gives up after this many seconds, and then serves no reads either.
    group_replication_unreachable_majority_timeout: '5',
    group_replication_exit_state_action: 'OFFLINE_MODE',
  };
}

function plugins(spec: MysqlInstanceSpec): readonly string[] {
  const always = ['semisync_source.so', 'semisync_replica.so', 'mysql_clone.so'];
  return spec.groupName === undefined ? always : [...always, 'group_replication.so'];
}

/** Every setting of a storage node. */
export function mysqlOptions(input: MysqlOptionsInput): MysqlOptions {
  return {
    ...identity(input),
    ...places(input),
    ...durability,
    ...passivity,
    ...replication,
    ...language,
    ...protection,
    ...strictness(input),
    ...profileOptions(input.spec),
    ...group(input),
    ...mysqlDialect(input.installation.version).options,
  };
}

/** A value in an option file: in quotes, with the escapes of the manual's "Using Option Files". */
function optionValue(value: string): string {
  // oxlint-disable-next-line no-control-regex -- exactly these cannot stand in an option file
  if (/[\0\n\r]/.test(value)) throw new RangeError(`not a value of an option file: ${JSON.stringify(value)}`);
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`;
}

/** The text of the option file. */
export function mysqlOptionFile(input: MysqlOptionsInput): string {
  const settings = Object.entries(mysqlOptions(input)).map(
    ([name, value]) => `${name}=${optionValue(value)}`,
  );
  const loads = plugins(input.spec).map((library) => `plugin_load_add=${optionValue(library)}`);
  return ['# Written before every start; changes are lost.', '[mysqld]', ...loads, ...settings, ''].join(
    '\n',
  );
}
