-- The outbox of topology: what every compute node has to know, and how far each of them has come.

-- Grows by one in every transaction that changes what compute nodes must know of their cluster.
CREATE TABLE kluster_topology (
  cluster_id int unsigned NOT NULL PRIMARY KEY,
  generation bigint unsigned NOT NULL,
  changed_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  CONSTRAINT kluster_topology_cluster FOREIGN KEY (cluster_id) REFERENCES db_clusters (id) ON DELETE CASCADE
)
-- next
-- The newest generation that the compute node is known to have; without a row it has none.
CREATE TABLE kluster_topology_applied (
  comp_node_id int unsigned NOT NULL PRIMARY KEY,
  generation bigint unsigned NOT NULL,
  applied_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  CONSTRAINT kluster_topology_applied_comp FOREIGN KEY (comp_node_id) REFERENCES comp_nodes (id) ON DELETE CASCADE
)
-- next
-- Clusters that are older than this table.
INSERT INTO kluster_topology (cluster_id, generation) SELECT id, 1 FROM db_clusters
