import { clusterScope } from '../../src/catalog/credentials.ts';
import { clusterId } from '../../src/core/ids.ts';
import { seal } from '../../src/core/seal.ts';
import type { SqlSession } from '../../src/engines/sql.ts';
import { agentPort, firstSqlPort, lastSqlPort, type Layout } from './layout.ts';

/** Ids of earlier machines, e.g. of the placeholder row, are below. */
const firstMachine = 1000;
const accounts = ['management', 'replication', 'compute', 'monitor'] as const;

/**
 * All machines, clusters, shards and nodes in one transaction, as if they had been made by jobs: active nodes of rbr
 * shards, whose recorded primary is the first. Every statement takes its rows as one JSON parameter.
 */
export async function fillCatalog(session: SqlSession, layout: Layout, catalogKey: string): Promise<void> {
  await session.query('START TRANSACTION');
  for (const [statement, rows] of statements(layout, catalogKey)) {
    await session.execute(statement, [JSON.stringify(rows)], { timeoutMs: 120_000 });
  }
  await session.query('COMMIT');
}

function statements(layout: Layout, catalogKey: string): readonly (readonly [string, readonly unknown[]])[] {
  const machines = numbers(layout.agents).map((agent) => ({
    id: firstMachine + agent,
    hostaddr: layout.addressOf(agent),
    port: agentPort,
    range: `${String(firstSqlPort)}-${String(lastSqlPort)}`,
  }));
  const clusters = numbers(layout.clusters).map((index) => ({ id: index + 1 }));
  const credentials = clusters.flatMap(({ id }) =>
    accounts.map((purpose) => ({
      scope: clusterScope(clusterId(id)),
      purpose,
      password: seal(catalogKey, 'catalog-credentials', `password of ${purpose}`),
    })),
  );
  const nodes = layout.all();
  const shards = nodes.filter(({ isSource }) => isSource);
  return [
    [
      `INSERT INTO server_nodes (id, hostaddr, machine_type, nodemgr_port, rack_id, port_range, datadir, logdir,
         wal_log_dir, comp_datadir, total_mem, total_cpu_cores)
       SELECT id, hostaddr, 'storage', port, '1', port_range, '/srv', '/srv', '/srv', '/srv', 65536, 32
         FROM JSON_TABLE(?, '$[*]' COLUMNS (id INT PATH '$.id', hostaddr VARCHAR(64) PATH '$.hostaddr',
           port INT PATH '$.port', port_range VARCHAR(64) PATH '$.range')) AS given`,
      machines,
    ],
    [
      `INSERT INTO server_nodes_stats (id) SELECT id FROM JSON_TABLE(?, '$[*]' COLUMNS (id INT PATH '$.id')) AS given`,
      machines,
    ],
    [
      `INSERT INTO kluster_agents (hostaddr, agent_port, last_seen)
       SELECT hostaddr, port, UTC_TIMESTAMP(6) FROM JSON_TABLE(?, '$[*]' COLUMNS (
         hostaddr VARCHAR(64) PATH '$.hostaddr', port INT PATH '$.port')) AS given`,
      machines,
    ],
    [
      `INSERT INTO db_clusters (id, name, nick_name, owner, ddl_log_tblname, ha_mode)
       SELECT id, CONCAT('cluster_', id), CONCAT('simulated-', id), 'bench', CONCAT('ddl_ops_log_cluster_', id), 'rbr'
         FROM JSON_TABLE(?, '$[*]' COLUMNS (id INT PATH '$.id')) AS given`,
      clusters,
    ],
    [
      `INSERT INTO kluster_credentials (scope, purpose, user_name, sealed_password)
       SELECT scope, purpose, CONCAT('kluster_', purpose), password FROM JSON_TABLE(?, '$[*]' COLUMNS (
         scope VARCHAR(64) PATH '$.scope', purpose VARCHAR(32) PATH '$.purpose',
         password VARCHAR(1024) PATH '$.password')) AS given`,
      credentials,
    ],
    [
      `INSERT INTO shards (id, name, db_cluster_id, sync_num, num_nodes)
       SELECT id, CONCAT('shard_', number), cluster, 1, 3 FROM JSON_TABLE(?, '$[*]' COLUMNS (
         id INT PATH '$.shard', number INT PATH '$.shardNumber', cluster INT PATH '$.cluster')) AS given`,
      shards,
    ],
    [
      `INSERT INTO shard_nodes (id, hostaddr, port, user_name, passwd, shard_id, db_cluster_id, svr_node_id, status,
         member_state)
       SELECT node + 1, hostaddr, port, 'monitor', 'monitor', shard, cluster, ${String(firstMachine)} + agent, 'active',
              IF(is_source, 'source', 'replica')
         FROM JSON_TABLE(?, '$[*]' COLUMNS (node INT PATH '$.node', agent INT PATH '$.agent',
           hostaddr VARCHAR(64) PATH '$.hostaddr', port INT PATH '$.port', shard INT PATH '$.shard',
           cluster INT PATH '$.cluster', is_source BOOLEAN PATH '$.isSource')) AS given`,
      nodes,
    ],
    [
      `INSERT INTO kluster_instances (instance_id, engine, machine_id, memory_mb, shard_node_id)
       SELECT instance_id, 'mysql', ${String(firstMachine)} + agent, 250, node + 1
         FROM JSON_TABLE(?, '$[*]' COLUMNS (node INT PATH '$.node', agent INT PATH '$.agent',
           instance_id VARCHAR(63) PATH '$.instanceId')) AS given`,
      nodes,
    ],
  ];
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
