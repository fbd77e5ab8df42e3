import type { ClusterId } from '../core/ids.ts';
import type { Sql } from './sql.ts';

/**
 * To be called in every transaction that changes what compute nodes must know: shards, their nodes and primaries, other
 * compute nodes, accounts. The catalog's own inserts, removals and changes of a primary do; changes of a status do
 * not. From the commit on each compute node is told until it knows (`src/ha/compute-watch.ts`).
 */
export async function topologyChanged(sql: Sql, cluster: ClusterId): Promise<void> {
  await sql.execute(
    `INSERT INTO kluster_topology (cluster_id, generation) VALUES (?, 1)
     ON DUPLICATE KEY UPDATE generation = generation + 1`,
    [cluster],
  );
}
