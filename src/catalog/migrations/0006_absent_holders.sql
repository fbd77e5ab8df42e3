-- Replicas that are being rebuilt although too few others have what they may have acknowledged: the proof of a failover
-- counts on them until they have everything again. Written before a node loses its data.
CREATE TABLE kluster_absent_holders (
  shard_node_id int unsigned NOT NULL PRIMARY KEY,
  since timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  CONSTRAINT kluster_absent_holders_node FOREIGN KEY (shard_node_id) REFERENCES shard_nodes (id) ON DELETE CASCADE
)
