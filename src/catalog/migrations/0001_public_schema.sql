-- The tables that existing clients of the API read. Names and columns are theirs; limits that hurt are widened.
-- Statements are separated by a line `-- next`. Text compares exactly (as_cs), set for the database at its creation.
-- Addresses are ASCII: varchar(8192) of a wider character set does not fit twice into one row.

CREATE TABLE global_configuration (
  name varchar(128) NOT NULL PRIMARY KEY,
  value varchar(128) NOT NULL
)
-- next
-- The first row is how clients learn the mode of the metadata cluster; the manager changes its value.
INSERT IGNORE INTO global_configuration (name, value) VALUES ('meta_ha_mode', 'no_rep')
-- next
CREATE TABLE data_centers (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(128) NOT NULL,
  dc_type varchar(32) NULL,
  owner varchar(64) NULL,
  province varchar(128) NULL,
  city varchar(128) NULL,
  district varchar(128) NULL,
  location text NULL,
  memo text NULL,
  UNIQUE KEY name (name)
)
-- next
CREATE TABLE server_nodes (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  hostaddr varchar(8192) CHARACTER SET ascii NOT NULL,
  dc_id int unsigned NULL,
  rack_id varchar(256) NULL,
  comp_datadir text NULL,
  datadir text NULL,
  logdir text NULL,
  wal_log_dir text NULL,
  total_mem int unsigned NOT NULL DEFAULT 0,
  total_cpu_cores int unsigned NOT NULL DEFAULT 0,
  svc_since timestamp NULL DEFAULT CURRENT_TIMESTAMP,
  nodemgr_port int NULL,
  nodemgr_bin_path text NULL,
  nodemgr_tmp_data_abs_path text NULL,
  extra_props text NULL,
  node_stats enum('running', 'idle', 'dead') NOT NULL DEFAULT 'running',
  nodemgr_tcp_port int NULL,
  nodemgr_prometheus_port int NULL,
  current_port_pos int NULL,
  machine_type enum('storage', 'computer') NULL,
  port_range varchar(256) NULL,
  used_port text NULL,
  installing_port text NULL,
  UNIQUE KEY hostaddr_dc (hostaddr(512), dc_id),
  UNIQUE KEY hostaddr_type (hostaddr(512), machine_type),
  CONSTRAINT server_nodes_dc FOREIGN KEY (dc_id) REFERENCES data_centers (id)
)
-- next
-- Clients leave this row out of their lists by its name.
INSERT IGNORE INTO server_nodes (id, hostaddr, node_stats) VALUES (1, 'pseudo_server_useless', 'dead')
-- next
CREATE TABLE server_nodes_stats (
  id int unsigned NOT NULL PRIMARY KEY,
  comp_datadir_used int unsigned NOT NULL DEFAULT 0,
  comp_datadir_avail int unsigned NOT NULL DEFAULT 0,
  datadir_used int unsigned NOT NULL DEFAULT 0,
  datadir_avail int unsigned NOT NULL DEFAULT 0,
  wal_log_dir_used int unsigned NOT NULL DEFAULT 0,
  wal_log_dir_avail int unsigned NOT NULL DEFAULT 0,
  log_dir_used int unsigned NOT NULL DEFAULT 0,
  log_dir_avail int unsigned NOT NULL DEFAULT 0,
  avg_network_usage_pct int unsigned NOT NULL DEFAULT 0,
  CONSTRAINT server_nodes_stats_server FOREIGN KEY (id) REFERENCES server_nodes (id) ON DELETE CASCADE
)
-- next
CREATE TABLE server_nodes_conn_stats (
  id1 int unsigned NOT NULL,
  id2 int unsigned NOT NULL,
  rtt_us int unsigned NOT NULL DEFAULT 0,
  time_diff_us int NOT NULL DEFAULT 0,
  PRIMARY KEY (id1, id2)
)
-- next
CREATE TABLE db_clusters (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(120) NOT NULL,
  nick_name varchar(120) NULL,
  owner varchar(120) NULL,
  ddl_log_tblname varchar(120) NOT NULL,
  when_created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  business varchar(120) NULL,
  memo mediumtext NULL,
  status enum('inuse', 'deleted') NOT NULL DEFAULT 'inuse',
  ha_mode enum('no_rep', 'mgr', 'rbr') NOT NULL,
  UNIQUE KEY name (name),
  KEY nick_name (nick_name)
)
-- next
CREATE TABLE comp_nodes_id_seq (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY
)
-- next
CREATE TABLE comp_nodes (
  id int unsigned NOT NULL,
  name varchar(64) NOT NULL,
  hostaddr varchar(8192) CHARACTER SET ascii NOT NULL,
  port smallint unsigned NOT NULL,
  db_cluster_id int unsigned NOT NULL,
  when_created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  user_name varchar(64) NOT NULL,
  passwd varchar(120) NOT NULL,
  status enum('creating', 'inactive', 'active', 'deleted', 'manual_stop') NOT NULL DEFAULT 'creating',
  svr_node_id int unsigned NOT NULL,
  cpu_cores smallint unsigned NOT NULL DEFAULT 0,
  max_mem_MB int unsigned NOT NULL DEFAULT 0,
  max_conns int unsigned NOT NULL DEFAULT 0,
  extra_props text NULL,
  coldbackup_period varchar(50) NOT NULL DEFAULT '01:00:00-02:00:00',
  PRIMARY KEY (db_cluster_id, id),
  UNIQUE KEY id (id),
  UNIQUE KEY cluster_name (db_cluster_id, name),
  UNIQUE KEY hostaddr_port (hostaddr(512), port),
  KEY svr_node_id (svr_node_id),
  CONSTRAINT comp_nodes_cluster FOREIGN KEY (db_cluster_id) REFERENCES db_clusters (id),
  CONSTRAINT comp_nodes_server FOREIGN KEY (svr_node_id) REFERENCES server_nodes (id)
)
-- next
CREATE TABLE shards (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(64) NOT NULL,
  when_created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  num_nodes smallint unsigned NOT NULL,
  space_volumn bigint unsigned NOT NULL DEFAULT 0,
  num_tablets int unsigned NOT NULL DEFAULT 0,
  db_cluster_id int unsigned NOT NULL,
  sync_num smallint unsigned NOT NULL DEFAULT 1,
  extra_props text NULL,
  degrade_conf_state enum('ON', 'OFF') NOT NULL DEFAULT 'OFF',
  degrade_run_state enum('ON', 'OFF') NOT NULL DEFAULT 'OFF',
  degrade_conf_time int NOT NULL DEFAULT 0,
  status enum('inuse', 'deleted') NOT NULL DEFAULT 'inuse',
  coldbackup_period varchar(50) NOT NULL DEFAULT '01:00:00-02:00:00',
  UNIQUE KEY cluster_name (db_cluster_id, name),
  CONSTRAINT shards_cluster FOREIGN KEY (db_cluster_id) REFERENCES db_clusters (id)
)
-- next
CREATE TABLE shard_nodes (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ro_weight smallint NOT NULL DEFAULT 0,
  hostaddr varchar(8192) CHARACTER SET ascii NOT NULL,
  port smallint unsigned NOT NULL,
  user_name varchar(64) NOT NULL,
  passwd varchar(120) NOT NULL,
  shard_id int unsigned NOT NULL,
  db_cluster_id int unsigned NOT NULL,
  svr_node_id int unsigned NOT NULL,
  when_created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  master_priority smallint NOT NULL DEFAULT 1,
  status enum('creating', 'inactive', 'active', 'deleted', 'manual_stop') NOT NULL DEFAULT 'creating',
  cpu_cores smallint unsigned NOT NULL DEFAULT 0,
  initial_storage_GB int unsigned NOT NULL DEFAULT 0,
  max_storage_GB int unsigned NOT NULL DEFAULT 0,
  innodb_buffer_pool_MB int unsigned NOT NULL DEFAULT 0,
  rocksdb_buffer_pool_MB int unsigned NOT NULL DEFAULT 0,
  extra_props text NULL,
  sync_state enum('fsync', 'async') NOT NULL DEFAULT 'fsync',
  member_state enum('source', 'replica') NOT NULL DEFAULT 'replica',
  replica_delay int NOT NULL DEFAULT 0,
  backup_node enum('OFF', 'ON') NOT NULL DEFAULT 'OFF',
  UNIQUE KEY hostaddr_port (hostaddr(512), port),
  KEY shard_id (shard_id),
  KEY db_cluster_id (db_cluster_id),
  KEY svr_node_id (svr_node_id),
  CONSTRAINT shard_nodes_shard FOREIGN KEY (shard_id) REFERENCES shards (id),
  CONSTRAINT shard_nodes_cluster FOREIGN KEY (db_cluster_id) REFERENCES db_clusters (id),
  CONSTRAINT shard_nodes_server FOREIGN KEY (svr_node_id) REFERENCES server_nodes (id)
)
-- next
CREATE TABLE meta_db_nodes (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  hostaddr varchar(8192) CHARACTER SET ascii NOT NULL,
  port smallint unsigned NOT NULL,
  user_name varchar(64) NOT NULL,
  passwd varchar(120) NOT NULL,
  master_priority smallint NOT NULL DEFAULT 1,
  member_state enum('source', 'replica') NOT NULL DEFAULT 'replica',
  sync_state enum('fsync', 'async') NOT NULL DEFAULT 'fsync',
  degrade_conf_state enum('ON', 'OFF') NOT NULL DEFAULT 'OFF',
  degrade_run_state enum('ON', 'OFF') NOT NULL DEFAULT 'OFF',
  replica_delay int NOT NULL DEFAULT 0,
  degrade_conf_time int NOT NULL DEFAULT 0,
  sync_num smallint unsigned NOT NULL DEFAULT 1,
  nodemgr_bin_path text NULL,
  UNIQUE KEY hostaddr_port (hostaddr(512), port)
)
-- next
CREATE TABLE node_map_master (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- -1: the metadata cluster
  cluster_id int NOT NULL,
  node_host varchar(512) CHARACTER SET ascii NOT NULL,
  master_host varchar(512) CHARACTER SET ascii NOT NULL,
  master_uuid varchar(64) NOT NULL DEFAULT '',
  UNIQUE KEY node_host (node_host),
  KEY cluster_id (cluster_id)
)
-- next
CREATE TABLE cluster_mgr_nodes (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  hostaddr varchar(8192) CHARACTER SET ascii NOT NULL,
  port smallint unsigned NOT NULL,
  prometheus_port smallint unsigned NOT NULL DEFAULT 0,
  member_state enum('source', 'replica') NOT NULL DEFAULT 'replica',
  UNIQUE KEY hostaddr_port (hostaddr(512), port)
)
-- next
CREATE TABLE backup_storage (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(256) NOT NULL,
  stype enum('HDFS', 'S3', 'EBS', 'CEPH', 'OTHER', 'SSH') NOT NULL,
  conn_str varchar(8192) NULL,
  hostaddr varchar(8192) CHARACTER SET ascii NULL,
  port smallint unsigned NULL,
  user_name varchar(128) NULL,
  passwd varchar(120) NULL,
  extra text NULL,
  UNIQUE KEY name (name)
)
-- next
CREATE TABLE cluster_coldbackups (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  storage_id int unsigned NOT NULL DEFAULT 0,
  cluster_id int unsigned NOT NULL DEFAULT 0,
  shard_id int unsigned NOT NULL DEFAULT 0,
  comp_id int unsigned NOT NULL DEFAULT 0,
  backup_type enum('storage', 'compute') NOT NULL DEFAULT 'storage',
  status enum('not_started', 'ongoing', 'done', 'failed') NOT NULL DEFAULT 'not_started',
  start_ts timestamp(6) NULL,
  end_ts timestamp(6) NULL,
  memo mediumtext NULL,
  backup_addr varchar(1024) NULL,
  KEY cluster_id (cluster_id)
)
-- next
CREATE TABLE cluster_shard_backup_restore_log (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  storage_id int unsigned NULL,
  cluster_id int unsigned NULL,
  shard_id int unsigned NULL,
  shard_node_id int unsigned NULL,
  optype enum('backup', 'restore') NOT NULL,
  shard_backup_path varchar(4096) NULL,
  status enum('not_started', 'ongoing', 'done', 'failed') NOT NULL DEFAULT 'not_started',
  memo mediumtext NULL,
  when_started timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  when_ended timestamp(6) NULL,
  KEY cluster_id (cluster_id)
)
-- next
CREATE TABLE cluster_general_job_log (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  job_id varchar(128) NULL,
  related_id varchar(128) NULL,
  job_type varchar(128) NULL,
  status enum('not_started', 'ongoing', 'done', 'failed') NOT NULL DEFAULT 'not_started',
  memo mediumtext NULL,
  when_started timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  when_ended timestamp(6) NULL,
  job_info mediumtext NULL,
  user_name varchar(128) NULL,
  KEY status (status),
  KEY job_type (job_type)
)
-- next
CREATE TABLE cluster_roll_back_record (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  job_id varchar(128) NULL,
  roll_info varchar(512) NULL
)
-- next
CREATE TABLE table_move_jobs (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  table_list mediumtext NULL,
  src_shard int unsigned NULL,
  src_shard_node int unsigned NULL,
  dest_shard int unsigned NULL,
  dest_shard_node int unsigned NULL,
  snapshot_binlog_file_idx varchar(256) NULL,
  snapshot_binlog_file_offset bigint unsigned NULL,
  tab_file_format enum('logical', 'physical', 'dyn_clone') NOT NULL DEFAULT 'logical',
  when_started timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  when_ended timestamp(6) NULL,
  -- both: not_started, dumped, transmitted, loaded, caught_up, renamed, rerouted, done, failed
  status varchar(128) NOT NULL DEFAULT 'not_started',
  stage varchar(128) NOT NULL DEFAULT 'not_started',
  memo mediumtext NULL
)
-- next
CREATE TABLE rbr_consfailover (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  host varchar(8192) CHARACTER SET ascii NULL,
  shard_id int NULL,
  cluster_id int NULL,
  taskid varchar(255) NULL,
  step varchar(255) NULL,
  new_master_host varchar(512) CHARACTER SET ascii NULL,
  description text NULL,
  consfailover_msg mediumtext NULL,
  timestamp timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  err_code int NOT NULL DEFAULT 0,
  err_msg text NULL,
  KEY taskid (taskid),
  KEY cluster_shard (cluster_id, shard_id)
)
-- next
CREATE TABLE node_mgr_mysqlerr (
  hostaddr varchar(512) CHARACTER SET ascii NOT NULL,
  port smallint unsigned NOT NULL,
  err_file varchar(4096) NULL,
  scan_timestamp timestamp(6) NULL,
  scan_filesize bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (hostaddr, port)
)
-- next
CREATE TABLE mysql_pg_install_log (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  general_log_id bigint unsigned NOT NULL,
  install_type varchar(50) NULL,
  when_started timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  when_ended timestamp(6) NULL,
  status enum('not_started', 'ongoing', 'done', 'failed') NOT NULL DEFAULT 'not_started',
  job_info mediumtext NULL,
  memo mediumtext NULL,
  KEY general_log_id (general_log_id)
)
-- next
CREATE TABLE restore_log (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  general_log_id bigint unsigned NOT NULL,
  restore_type varchar(50) NULL,
  when_started timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  when_ended timestamp(6) NULL,
  status enum('not_started', 'ongoing', 'done', 'failed') NOT NULL DEFAULT 'not_started',
  job_info mediumtext NULL,
  memo mediumtext NULL,
  KEY general_log_id (general_log_id)
)
-- next
CREATE TABLE cluster_shard_topology (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  cluster_id int unsigned NOT NULL,
  -- comma list of every shard of the cluster from this moment on
  shard_id mediumtext NOT NULL,
  max_commit_log_id bigint unsigned NOT NULL DEFAULT 0,
  max_ddl_log_id bigint unsigned NOT NULL DEFAULT 0,
  timestamp timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  KEY cluster_id (cluster_id)
)
-- next
-- Two-phase commit decisions, one row per global transaction. txn_id is (unix seconds << 32) + local number. One
-- partition p<id> per compute node, so that a node's decisions go with it. No subpartitions: 32 of them make adding a
-- compute node twenty times slower (one file each), and purging by prepare_ts does not need them.
CREATE TABLE commit_log_template_table (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  comp_node_id int unsigned NOT NULL,
  txn_id bigint unsigned NOT NULL,
  next_txn_cmd enum('commit', 'abort') NOT NULL,
  prepare_ts timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  written_shards json NULL,
  PRIMARY KEY (id, comp_node_id, txn_id),
  UNIQUE KEY comp_node_txn (comp_node_id, txn_id)
)
PARTITION BY LIST (comp_node_id) (
  PARTITION p0 VALUES IN (0)
)
-- next
CREATE TABLE ddl_ops_log_template_table (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  objname varchar(64) NOT NULL,
  db_name varchar(64) NOT NULL,
  schema_name varchar(64) NOT NULL,
  user_name varchar(64) NOT NULL,
  role_name varchar(64) NOT NULL,
  search_path text NOT NULL,
  optype enum('create', 'drop', 'rename', 'alter', 'replace', 'remap_shardid', 'others') NOT NULL,
  objtype enum(
    'db', 'index', 'matview', 'partition', 'schema', 'seq', 'table', 'func', 'role_or_group', 'proc', 'stats',
    'user', 'view', 'others'
  ) NOT NULL,
  when_logged timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  sql_src mediumtext NOT NULL,
  sql_storage_node mediumtext NOT NULL,
  target_shard_id int unsigned NOT NULL,
  initiator int unsigned NOT NULL,
  txn_id bigint unsigned NOT NULL
)
-- next
-- Appends one definition to the log of a cluster. The session must hold the user lock 'DDL', which serialises
-- definitions over all compute nodes. `cur_opid`, when not 0, is the last entry that the caller has applied: the
-- definition is refused when another compute node has logged one in the same database since.
CREATE PROCEDURE append_ddl_log_entry(
  tblname varchar(256), dbname varchar(64), schema_name varchar(64), role_name varchar(64), user_name varchar(64),
  search_path text, objname varchar(64), obj_type varchar(16), op_type varchar(16), cur_opid bigint unsigned,
  sql_src mediumtext, sql_src_sn mediumtext, target_shardid int unsigned, initiator_id int unsigned,
  txn_id bigint unsigned, OUT my_opid bigint unsigned
)
MODIFIES SQL DATA
SQL SECURITY INVOKER
BEGIN
  DECLARE log_table varchar(600);
  SET my_opid = 0;
  IF NOT COALESCE(IS_USED_LOCK('DDL') = CONNECTION_ID(), FALSE) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'append_ddl_log_entry: this session does not hold the user lock DDL';
  END IF;
  IF tblname NOT LIKE 'ddl\_ops\_log\_%' THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'append_ddl_log_entry: not the name of a definition log';
  END IF;
  SET log_table = CONCAT('`', REPLACE(tblname, '`', '``'), '`');
  SET @kluster_db = dbname, @kluster_initiator = initiator_id, @kluster_seen = COALESCE(cur_opid, 0);
  IF @kluster_seen > 0 THEN
    SET @kluster_text = CONCAT(
      'SELECT COUNT(*) INTO @kluster_newer FROM ', log_table,
      ' WHERE id > @kluster_seen AND db_name = @kluster_db AND initiator <> @kluster_initiator');
    PREPARE kluster_statement FROM @kluster_text;
    EXECUTE kluster_statement;
    DEALLOCATE PREPARE kluster_statement;
    IF @kluster_newer > 0 THEN
      SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'append_ddl_log_entry: another compute node has changed this database since';
    END IF;
  END IF;
  SET @kluster_object = objname, @kluster_schema = schema_name, @kluster_user = user_name, @kluster_role = role_name,
    @kluster_path = search_path, @kluster_op = op_type, @kluster_type = obj_type, @kluster_source = sql_src,
    @kluster_storage = sql_src_sn, @kluster_shard = target_shardid, @kluster_txn = txn_id;
  SET @kluster_text = CONCAT(
    'INSERT INTO ', log_table,
    ' (objname, db_name, schema_name, user_name, role_name, search_path, optype, objtype, sql_src, sql_storage_node,',
    ' target_shard_id, initiator, txn_id) VALUES (@kluster_object, @kluster_db, @kluster_schema, @kluster_user,',
    ' @kluster_role, @kluster_path, @kluster_op, @kluster_type, @kluster_source, @kluster_storage, @kluster_shard,',
    ' @kluster_initiator, @kluster_txn)');
  PREPARE kluster_statement FROM @kluster_text;
  EXECUTE kluster_statement;
  DEALLOCATE PREPARE kluster_statement;
  SET my_opid = LAST_INSERT_ID();
END
-- next
-- From here on: tables that clients look into although no job of this version fills them.
CREATE TABLE cluster_logicalbackup_record (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  cluster_id int unsigned NOT NULL,
  db_table varchar(512) NULL,
  execute_host varchar(512) CHARACTER SET ascii NULL,
  job_id bigint unsigned NULL,
  backup_time varchar(128) NULL,
  backup_state varchar(64) NULL,
  backup_info mediumtext NULL,
  KEY cluster_id (cluster_id)
)
-- next
CREATE TABLE cluster_scheduler_jobs (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  job_id bigint unsigned NULL,
  cluster_id int unsigned NULL,
  job_type varchar(128) NOT NULL,
  status enum('not_started', 'ongoing', 'done', 'failed') NOT NULL DEFAULT 'not_started',
  memo mediumtext NULL,
  job_info mediumtext NULL,
  when_started timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  when_ended timestamp(6) NULL,
  KEY job_type (job_type)
)
-- next
CREATE TABLE proxysql_nodes (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  db_cluster_id int unsigned NOT NULL,
  hostaddr varchar(8192) CHARACTER SET ascii NOT NULL,
  port smallint unsigned NOT NULL,
  admin_port smallint unsigned NOT NULL DEFAULT 0,
  user_name varchar(64) NULL,
  passwd varchar(120) NULL,
  status enum('creating', 'inactive', 'active', 'deleted', 'manual_stop') NOT NULL DEFAULT 'creating',
  svr_node_id int unsigned NULL,
  when_created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY db_cluster_id (db_cluster_id)
)
-- next
CREATE TABLE cluster_rcr_infos (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  master_rcr_meta varchar(2048) NULL,
  master_cluster_id int unsigned NULL,
  slave_rcr_meta varchar(2048) NULL,
  slave_cluster_id int unsigned NULL,
  shard_maps mediumtext NULL,
  status enum('creating', 'running', 'stopped', 'manual_sw', 'deleted') NOT NULL DEFAULT 'creating',
  replica_delay int NOT NULL DEFAULT 0,
  conf_delay_sync int NOT NULL DEFAULT 0,
  sync_host_delay int NOT NULL DEFAULT 0,
  when_created timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  update_ts timestamp NULL
)
-- next
CREATE TABLE cluster_rcr_meta_sync (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  rcr_infos_id bigint unsigned NOT NULL,
  dump_host varchar(512) CHARACTER SET ascii NULL,
  meta_sync_state varchar(64) NULL,
  sync_binlog_file varchar(256) NULL,
  sync_binlog_pos bigint unsigned NULL,
  sync_gtid mediumtext NULL,
  KEY rcr_infos_id (rcr_infos_id)
)
-- next
CREATE TABLE cluster_cdc_server (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  group_name varchar(128) NULL,
  hostaddr varchar(512) CHARACTER SET ascii NULL,
  host_addr varchar(512) CHARACTER SET ascii NULL,
  port smallint unsigned NULL,
  master enum('0', '1') NOT NULL DEFAULT '0',
  status varchar(64) NULL,
  create_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
)
-- next
CREATE TABLE cluster_cdc_worker (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  cdc_id int unsigned NULL,
  job_id varchar(128) NULL,
  meta_db varchar(2048) NULL,
  cluster_name varchar(120) NULL,
  dump_db_table mediumtext NULL,
  job_info mediumtext NULL,
  status varchar(64) NULL,
  create_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
)
-- next
CREATE TABLE cluster_es_conf (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  is_install enum('yes', 'no') NOT NULL DEFAULT 'no',
  es_hostaddr varchar(512) CHARACTER SET ascii NULL,
  es_port smallint unsigned NULL
)
-- next
CREATE TABLE cluster_alarm_info (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  alarm_type varchar(128) NOT NULL,
  alarm_level enum('FATAL', 'ERROR', 'WARNING') NOT NULL DEFAULT 'WARNING',
  status enum('unhandled', 'handled', 'ignore') NOT NULL DEFAULT 'unhandled',
  cluster_id int NULL,
  shardid int NULL,
  compnodeid int NULL,
  serverid int NULL,
  job_id bigint unsigned NULL,
  job_info mediumtext NULL,
  occur_timestamp timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  handle_time timestamp(6) NULL,
  handler_name varchar(128) NULL,
  KEY alarm_type (alarm_type),
  KEY status (status)
)
-- next
CREATE TABLE cluster_alarm_user (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  label varchar(128) NULL,
  accept_user varchar(2048) NULL,
  level enum('FATAL', 'ERROR', 'WARNING') NULL,
  threshold int NULL,
  push_type varchar(128) NULL,
  create_at int unsigned NULL,
  update_at int unsigned NULL
)
-- next
CREATE TABLE cluster_alarm_message_config (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  type varchar(64) NOT NULL,
  message mediumtext NULL,
  create_at int unsigned NULL,
  update_at int unsigned NULL
)
-- next
CREATE TABLE cluster_alarm_push_log (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  alarm_type varchar(128) NULL,
  push_type varchar(64) NULL,
  content mediumtext NULL,
  content_res mediumtext NULL,
  create_at int unsigned NULL
)
