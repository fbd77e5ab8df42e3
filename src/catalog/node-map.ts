import type { ShardId } from '../core/ids.ts';
import type { Sql } from './sql.ts';

/**
 * node_map_master, for one shard as its rows are now: with ha_mode rbr one row per replica, naming the primary to
 * follow (`ip_port`). Without a UUID given, rows whose primary stays keep theirs.
 */
export async function mapReplicas(
  sql: Sql,
  shard: ShardId,
  primaryUuid: string | null = null,
): Promise<void> {
  await sql.execute(
    `INSERT INTO node_map_master (cluster_id, node_host, master_host, master_uuid)
     SELECT replica.db_cluster_id, CONCAT(replica.hostaddr, '_', replica.port),
            CONCAT(source.hostaddr, '_', source.port), COALESCE(?, '')
       FROM shard_nodes AS replica
       JOIN shard_nodes AS source ON source.shard_id = replica.shard_id AND source.member_state = 'source'
       JOIN db_clusters AS cluster ON cluster.id = replica.db_cluster_id AND cluster.ha_mode = 'rbr'
      WHERE replica.shard_id = ? AND replica.member_state = 'replica'
     ON DUPLICATE KEY UPDATE
       master_uuid = IF(? IS NULL AND node_map_master.master_host = VALUES(master_host),
                        node_map_master.master_uuid, VALUES(master_uuid)),
       master_host = VALUES(master_host), cluster_id = VALUES(cluster_id)`,
    [primaryUuid, shard, primaryUuid],
  );
  await sql.execute(
    `DELETE map FROM node_map_master AS map
       JOIN shard_nodes AS source
         ON source.member_state = 'source' AND map.node_host = CONCAT(source.hostaddr, '_', source.port)
      WHERE source.shard_id = ?`,
    [shard],
  );
}
