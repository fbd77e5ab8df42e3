-- Shards whose commits wait for fewer acknowledgements than fullsync_level asks for. A row is written before the primary is
-- told, and removed when everything that was committed meanwhile is on enough replicas again: the proof of a failover
-- counts on it.
CREATE TABLE kluster_degraded_shards (
  shard_id int unsigned NOT NULL PRIMARY KEY,
  acknowledgements smallint unsigned NOT NULL,
  since timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  CONSTRAINT kluster_degraded_shards_shard FOREIGN KEY (shard_id) REFERENCES shards (id) ON DELETE CASCADE
)
-- next
-- Where automatic failover is suspended, and until when. 0 stands for all clusters, or all shards of a cluster.
CREATE TABLE kluster_noswitch (
  cluster_id int unsigned NOT NULL,
  shard_id int unsigned NOT NULL,
  expires timestamp(6) NOT NULL,
  PRIMARY KEY (cluster_id, shard_id)
)
