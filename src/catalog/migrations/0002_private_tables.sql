-- What the manager keeps for itself; no client reads these tables.

CREATE TABLE kluster_leadership (
  id tinyint unsigned NOT NULL PRIMARY KEY,
  -- the term of office: every write of the manager is refused when its own term is not this one
  epoch bigint unsigned NOT NULL,
  holder varchar(255) NOT NULL,
  since timestamp(6) NOT NULL,
  CONSTRAINT one_row CHECK (id = 1)
)
-- next
CREATE TABLE kluster_agents (
  hostaddr varchar(255) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  agent_port smallint unsigned NOT NULL,
  last_seen timestamp(6) NOT NULL
)
-- next
CREATE TABLE kluster_instances (
  instance_id varchar(63) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  engine enum('mysql', 'postgres') NOT NULL,
  machine_id int unsigned NOT NULL,
  -- what placement counts the instance with
  memory_mb int unsigned NOT NULL DEFAULT 0,
  -- exactly one of the three
  shard_node_id int unsigned NULL,
  comp_node_id int unsigned NULL,
  meta_node_id bigint unsigned NULL,
  UNIQUE KEY shard_node_id (shard_node_id),
  UNIQUE KEY comp_node_id (comp_node_id),
  UNIQUE KEY meta_node_id (meta_node_id),
  KEY machine_id (machine_id),
  CONSTRAINT one_node CHECK ((shard_node_id IS NOT NULL) + (comp_node_id IS NOT NULL) + (meta_node_id IS NOT NULL) = 1),
  CONSTRAINT kluster_instances_shard_node FOREIGN KEY (shard_node_id) REFERENCES shard_nodes (id) ON DELETE CASCADE,
  CONSTRAINT kluster_instances_comp_node FOREIGN KEY (comp_node_id) REFERENCES comp_nodes (id) ON DELETE CASCADE,
  CONSTRAINT kluster_instances_meta_node FOREIGN KEY (meta_node_id) REFERENCES meta_db_nodes (id) ON DELETE CASCADE,
  CONSTRAINT kluster_instances_machine FOREIGN KEY (machine_id) REFERENCES server_nodes (id)
)
-- next
CREATE TABLE kluster_credentials (
  -- what the account belongs to, e.g. cluster:7
  scope varchar(64) CHARACTER SET ascii NOT NULL,
  purpose varchar(32) CHARACTER SET ascii NOT NULL,
  user_name varchar(64) NOT NULL,
  sealed_password varchar(1024) CHARACTER SET ascii NOT NULL,
  PRIMARY KEY (scope, purpose)
)
-- next
CREATE TABLE kluster_ports (
  owner varchar(191) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  hostaddr varchar(255) CHARACTER SET ascii NOT NULL,
  machine_type enum('storage', 'computer') NOT NULL,
  -- the reservation covers first_port … first_port + stride - 1
  first_port smallint unsigned NOT NULL,
  stride tinyint unsigned NOT NULL,
  state enum('installing', 'used') NOT NULL DEFAULT 'installing',
  since timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  UNIQUE KEY hostaddr_port (hostaddr, first_port)
)
-- next
-- Instances on machines that did not answer while they were to be removed: removed when the machine returns.
CREATE TABLE kluster_pending_removals (
  hostaddr varchar(255) CHARACTER SET ascii NOT NULL,
  instance_id varchar(63) CHARACTER SET ascii NOT NULL,
  agent_port smallint unsigned NOT NULL,
  since timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  reason varchar(1024) NOT NULL,
  PRIMARY KEY (hostaddr, instance_id)
)
-- next
-- Numbers that are given out once and never again.
CREATE TABLE kluster_sequences (
  name varchar(64) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  newest bigint unsigned NOT NULL
)
