import { jobId } from '../../../src/core/ids.ts';
import type { Facts } from '../../../src/queries/doctor/facts.ts';
import {
  catalog,
  cut,
  elsewhere,
  foreignGtids,
  job,
  other,
  reported,
  status,
  withAgent,
  withCatalog,
  withComp,
  withInstances,
  withNode,
  withShard,
} from './changed-facts.ts';
import { view } from './healthy-facts.ts';

/** Each is the healthy cluster with one thing changed, and what the doctor calls it. */
export const cases: readonly (readonly [string, Facts, string, string])[] = [
  ['no term of office', withCatalog({ epoch: null }), 'leader_unclear', 'kluster_leadership'],
  ['two leaders', withCatalog({ leaders: 2 }), 'leader_unclear', 'cluster_mgr_nodes'],
  [
    'an agent that obeys a younger manager',
    withAgent(1, () => ({ answer: null, failure: 'epoch 9', obeysAnother: true })),
    'agent_obeys_another',
    'machine 10.0.0.2',
  ],
  [
    'an instance that nobody recorded',
    withInstances(1, [...reported(1), view(other)]),
    'instance_unknown',
    'cluster8-shard1-node1 on 10.0.0.2',
  ],
  ['an instance that is gone', withInstances(1, []), 'instance_missing', 'cluster7-shard1-node2 on 10.0.0.2'],
  [
    'an instance without a process',
    withInstances(
      1,
      reported(1).map((one) => ({ ...one, pid: null, state: 'failed' })),
    ),
    'instance_not_running',
    'cluster7-shard1-node2 on 10.0.0.2',
  ],
  [
    'an instance without room',
    withInstances(
      1,
      reported(1).map((one) => ({ ...one, disk: { state: 'full', availableMb: 0, reason: null } })),
    ),
    'disk_full',
    'cluster7-shard1-node2 on 10.0.0.2',
  ],
  [
    'an instance whose disk does not answer',
    withInstances(
      1,
      reported(1).map((one) => ({ ...one, disk: { state: 'frozen', availableMb: 9, reason: 'late' } })),
    ),
    'disk_frozen',
    'cluster7-shard1-node2 on 10.0.0.2',
  ],
  [
    'an instance at another port',
    withInstances(
      1,
      reported(1).map((one) => ({ ...one, port: 57_009 })),
    ),
    'instance_elsewhere',
    'cluster7-shard1-node2 on 10.0.0.2',
  ],
  [
    'a directory that no instance owns',
    withAgent(2, ({ answer }) => ({
      answer: {
        instances: answer?.instances ?? [],
        strays: { directories: ['/data/cluster3-shard1-node1'], processes: [] },
      },
    })),
    'directory_left',
    'machine 10.0.0.3',
  ],
  [
    'a process that no instance owns',
    withAgent(2, ({ answer }) => ({
      answer: {
        instances: answer?.instances ?? [],
        strays: { directories: [], processes: [{ pid: 99, directory: '/data/cluster3-shard1-node1' }] },
      },
    })),
    'process_left',
    'machine 10.0.0.3',
  ],
  [
    'a node without reserved ports',
    withCatalog({
      reservations: cut(catalog.reservations),
      publicPorts: catalog.publicPorts.map((row) =>
        row.hostaddr === '10.0.0.1' ? { ...row, used: [] } : row,
      ),
    }),
    'ports_not_reserved',
    'cluster7-shard1-node1 on 10.0.0.1',
  ],
  [
    'ports that are still being installed',
    withCatalog({
      reservations: catalog.reservations.map((one, index) =>
        index === 0 ? { ...one, state: 'installing' } : one,
      ),
      publicPorts: catalog.publicPorts.map((row, index) =>
        index === 0 ? { ...row, used: [], installing: ['57001'] } : row,
      ),
    }),
    'ports_not_reserved',
    'cluster7-shard1-node1 on 10.0.0.1',
  ],
  [
    'ports of nobody',
    withCatalog({
      reservations: [
        ...catalog.reservations,
        {
          owner: 'cluster3-comp1',
          hostaddr: '10.0.0.2',
          machineType: 'computer',
          firstPort: 47_001,
          stride: 3,
          state: 'used',
        },
      ],
    }),
    'ports_left',
    'machine 10.0.0.2',
  ],
  [
    'public ports that differ',
    withCatalog({
      publicPorts: catalog.publicPorts.map((row, index) => (index === 1 ? { ...row, used: [] } : row)),
    }),
    'ports_not_public',
    'storage machine 10.0.0.2',
  ],
  [
    'a removal that waits',
    withCatalog({
      pendingRemovals: [{ ...other, agentPort: 35_002, reason: 'silent', since: new Date(0) }],
    }),
    'removal_pending',
    'cluster8-shard1-node1 on 10.0.0.2',
  ],
  ['a wrong number of nodes', withShard(() => ({ recordedNodes: 2 })), 'node_count', 'cluster 7 shard_1'],
  [
    'a replica that is not mapped',
    withCatalog({ nodeMap: cut(catalog.nodeMap) }),
    'node_map',
    'cluster 7 node 10.0.0.2_57001',
  ],
  [
    'a mapping to another primary',
    withCatalog({
      nodeMap: catalog.nodeMap
        .map((row) => ({ ...row, master: '10.0.0.9_57001' }))
        .slice(0, 1)
        .concat(cut(catalog.nodeMap)),
    }),
    'node_map',
    'cluster 7 node 10.0.0.2_57001',
  ],
  [
    'a missing log table',
    withCatalog({ logTables: catalog.logTables.slice(0, 1) }),
    'log_table_missing',
    'cluster 7',
  ],
  [
    'a log table of nobody',
    withCatalog({
      logTables: [...catalog.logTables, { name: 'commit_log_cluster_1_000009', partitions: [] }],
    }),
    'log_table_left',
    'metadata database',
  ],
  [
    'a compute node without its partition',
    withCatalog({
      logTables: catalog.logTables.map((table, index) =>
        index === 0 ? { ...table, partitions: ['p0'] } : table,
      ),
    }),
    'log_partition_missing',
    'cluster 7',
  ],
  [
    'a partition of no compute node',
    withCatalog({
      logTables: catalog.logTables.map((table, index) =>
        index === 0 ? { ...table, partitions: ['p0', 'p9', 'p3'] } : table,
      ),
    }),
    'log_partition_left',
    'cluster 7',
  ],
  [
    'rows of a deleted cluster',
    withCatalog({ clusterRows: [...catalog.clusterRows, { table: 'kluster_credentials', clusterId: 3 }] }),
    'cluster_rows_left',
    'kluster_credentials',
  ],
  [
    'a cluster that was never completed',
    withCatalog({ clusters: catalog.clusters.map((one) => ({ ...one, complete: false })) }),
    'cluster_unfinished',
    'cluster 7',
  ],
  [
    'a job without events for hours',
    withCatalog({ jobs: [{ ...job, locks: [], quietSeconds: 9000 }] }),
    'job_stuck',
    'job 12',
  ],
  [
    'a job that clients think has ended',
    withCatalog({ jobDifferences: [{ id: jobId(12), status: 'done', phase: 'forward' }] }),
    'job_status',
    'job 12',
  ],
  [
    'a lock of an ended job',
    withCatalog({ deadLocks: [{ lock: 'cluster:7', id: jobId(12) }] }),
    'lock_left',
    'cluster:7',
  ],
  [
    'a node that was never finished',
    withNode(1, status('creating')),
    'node_unfinished',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  [
    'a node that does not serve',
    withNode(1, status('inactive')),
    'node_not_serving',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  ['a silent node', withNode(1, { answer: null }), 'node_silent', 'cluster 7 shard_1 node 10.0.0.2:57001'],
  [
    'a closed primary',
    withNode(0, { answer: { superReadOnly: true } }),
    'primary_closed',
    'cluster 7 shard_1 node 10.0.0.1:57001',
  ],
  [
    'a second writer',
    withNode(2, { answer: { superReadOnly: false } }),
    'second_writer',
    'cluster 7 shard_1 node 10.0.0.3:57001',
  ],
  [
    'a primary that waits for too little',
    withNode(0, { answer: { acknowledgements: 0 } }),
    'acknowledgements',
    'cluster 7 shard_1 node 10.0.0.1:57001',
  ],
  [
    'a replica that does not acknowledge',
    withShard(({ details }) => ({
      details: new Map([...details].map(([at, one]) => [at, { ...one, semiSyncClients: 1 }])),
    })),
    'replica_not_acknowledging',
    'cluster 7 shard_1 node 10.0.0.1:57001',
  ],
  [
    'a replica that follows nobody',
    withNode(1, { answer: { channel: null } }),
    'replica_not_following',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  [
    'a replica that follows another server',
    withNode(1, {
      answer: {
        channel: {
          source: elsewhere,
          receiverRunning: true,
          connecting: false,
          applierRunning: true,
          error: null,
          applierError: null,
          heardMs: 0,
        },
      },
    }),
    'replica_not_following',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  [
    'a replica that does not apply',
    withNode(1, {
      answer: {
        channel: {
          source: { ...elsewhere, hostaddr: '10.0.0.1' },
          receiverRunning: true,
          connecting: false,
          applierRunning: false,
          error: 'duplicate',
          applierError: 'duplicate',
          heardMs: 0,
        },
      },
    }),
    'replica_stopped',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  [
    'errant transactions',
    withNode(1, { answer: { gtids: foreignGtids } }),
    'errant_transactions',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  [
    'a missing account',
    withShard(({ details }) => ({
      details: new Map(
        [...details].map(([at, one]) => [
          at,
          at.startsWith('10.0.0.2') ? { ...one, missingAccounts: ['kluster_compute (compute)'] } : one,
        ]),
      ),
    })),
    'account_missing',
    'cluster 7 shard_1 node 10.0.0.2:57001',
  ],
  [
    'a stale route',
    withComp({}, { routes: new Map([['shard_1', elsewhere]]) }),
    'route',
    'cluster 7 comp9 10.0.0.1:47001',
  ],
  ['a missing route', withComp({}, { routes: new Map() }), 'route', 'cluster 7 comp9 10.0.0.1:47001'],
  [
    'a route to a shard that does not exist',
    withComp(
      {},
      {
        routes: new Map([
          ['shard_1', { hostaddr: '10.0.0.1', port: 57_001 }],
          ['shard_2', elsewhere],
        ]),
      },
    ),
    'route_unknown',
    'cluster 7 comp9 10.0.0.1:47001',
  ],
  [
    'a route without a shard behind it',
    withComp({}, { reached: new Map([['shard_1', 'connection refused']]) }),
    'route_dead',
    'cluster 7 comp9 10.0.0.1:47001',
  ],
  [
    'a definition that cannot be applied',
    withComp(
      {},
      { failingDefinition: { id: 7, database: 'app', error: 'relation "t" already exists', attempts: 3 } },
    ),
    'definition_failing',
    'cluster 7 comp9 10.0.0.1:47001',
  ],
  [
    'a missing role',
    withComp({}, { missingRoles: ['abc (application)'] }),
    'role_missing',
    'cluster 7 comp9 10.0.0.1:47001',
  ],
  [
    'a silent compute node',
    withComp({ answer: null, failure: 'refused' }),
    'node_silent',
    'cluster 7 comp9 10.0.0.1:47001',
  ],
];
