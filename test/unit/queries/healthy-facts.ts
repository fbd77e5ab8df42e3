import type { InstanceView } from '../../../src/core/agent-protocol.ts';
import {
  clusterId,
  computeNodeId,
  instanceId,
  machineId,
  shardId,
  storageNodeId,
} from '../../../src/core/ids.ts';
import type { ComputeNode, HostPort, Machine, StorageNode } from '../../../src/core/model.ts';
import type { NodeAnswer } from '../../../src/ha/shard-observation.ts';
import type { CompFacts, Facts, ShardFacts } from '../../../src/queries/doctor/facts.ts';

const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;
const name = 'cluster_1659333382_000001';
const cluster = {
  id: clusterId(7),
  name,
  nickName: 'shop',
  haMode: 'rbr',
  whenCreated: new Date(0),
} as const;

const storageNode = (hostaddr: string, index: number): StorageNode => ({
  id: storageNodeId(index + 1),
  clusterId: cluster.id,
  shardId: shardId(4),
  machineId: machineId(index + 2),
  instanceId: instanceId(`cluster7-shard1-node${String(index + 1)}`),
  hostaddr,
  port: 57_001,
  memberState: index === 0 ? 'source' : 'replica',
  status: 'active',
  isAbsentHolder: false,
});

const nodes = hosts.map(storageNode);
const primary: HostPort = { hostaddr: hosts[0], port: 57_001 };

const comp: ComputeNode = {
  id: computeNodeId(9),
  clusterId: cluster.id,
  machineId: machineId(8),
  instanceId: instanceId('cluster7-comp1'),
  name: 'comp9',
  hostaddr: hosts[0],
  port: 47_001,
  status: 'active',
};

export const view = (node: HostPort & { readonly instanceId: InstanceView['instanceId'] }): InstanceView => ({
  instanceId: node.instanceId,
  engine: 'mysql',
  engineVersion: '9.0.0',
  hostaddr: node.hostaddr,
  port: node.port,
  state: 'running',
  desired: 'running',
  pid: 4711,
  datadir: `/data/${node.instanceId}`,
  logFile: `/data/${node.instanceId}/error.log`,
  restarts: 0,
  lastExit: null,
  remadeBy: null,
  labels: {},
  cpuLimit: null,
  warnings: [],
});

const answer = (source: boolean): NodeAnswer => ({
  serverUuid: uuid,
  superReadOnly: !source,
  channel: source
    ? null
    : {
        source: primary,
        receiverRunning: true,
        connecting: false,
        applierRunning: true,
        error: null,
        applierError: null,
        heardMs: 0,
      },
  acknowledgements: source ? 1 : 0,
  acknowledges: true,
  acknowledgers: source ? 2 : 0,
  commitsWaiting: 0,
  gtids: `${uuid}:1-10`,
  purged: '',
  groupState: 'OFFLINE',
  group: [],
});

const machine = (hostaddr: string, index: number): Machine => ({
  id: machineId(index + 2),
  hostaddr,
  machineType: 'storage',
  rackId: '',
  state: 'running',
  agentPort: 35_002,
  portRange: { first: 57_000, last: 58_000 },
  datadir: ['/data'],
  logdir: ['/data'],
  walLogDir: ['/data'],
  compDatadir: [],
  totalMemoryMb: 1024,
  totalCpuCores: 2,
});

const shard: ShardFacts = {
  cluster,
  shard: {
    id: shardId(4),
    clusterId: cluster.id,
    name: 'shard_1',
    fullsyncLevel: 1,
    acknowledgements: 1,
    degrade: { enabled: false, afterSeconds: 0 },
  },
  recordedNodes: 3,
  degraded: false,
  nodes: nodes.map((node, index) => ({ node, answer: answer(index === 0), failure: null })),
  details: new Map(
    nodes.map(({ hostaddr }, index) => [
      `${hostaddr}:57001`,
      { missingAccounts: [], semiSyncClients: index === 0 ? 2 : 0 },
    ]),
  ),
};

const compFacts: CompFacts = {
  clusterId: cluster.id,
  comp,
  answer: {
    routes: new Map([['shard_1', primary]]),
    reached: new Map([['shard_1', `${name} shard_1`]]),
    missingRoles: [],
    failingDefinition: null,
  },
  failure: null,
};

/** One rbr cluster of three storage nodes and a compute node, as it should be. */
export const healthyFacts: Facts = {
  catalog: {
    epoch: 3,
    leaders: 1,
    machines: hosts.map(machine),
    publicPorts: hosts.map((hostaddr) => ({
      hostaddr,
      machineType: 'storage',
      used: ['57001'],
      installing: [],
    })),
    instances: [
      ...nodes.map(({ id, ...node }) => ({ ...node, kind: 'storage' as const, nodeId: id })),
      { ...comp, kind: 'compute' as const, nodeId: comp.id },
    ],
    reservations: [
      ...nodes.map((node) => ({
        owner: node.instanceId,
        hostaddr: node.hostaddr,
        machineType: 'storage' as const,
        firstPort: node.port,
        stride: 4,
        state: 'used' as const,
      })),
      {
        owner: comp.instanceId,
        hostaddr: comp.hostaddr,
        machineType: 'computer' as const,
        firstPort: comp.port,
        stride: 3,
        state: 'used' as const,
      },
    ],
    pendingRemovals: [],
    clusters: [{ cluster, complete: true, comps: [comp] }],
    nodeMap: hosts.slice(1).map((hostaddr) => ({
      clusterId: cluster.id,
      node: `${hostaddr}_57001`,
      master: '10.0.0.1_57001',
    })),
    logTables: [
      { name: `commit_log_${name}`, partitions: ['p0', 'p9'] },
      { name: `ddl_ops_log_${name}`, partitions: [] },
    ],
    clusterRows: [{ table: 'cluster_shard_topology', clusterId: cluster.id }],
    jobs: [],
    jobDifferences: [],
    deadLocks: [],
  },
  agents: hosts.map((hostaddr, index) => ({
    hostaddr,
    answer: {
      instances: [...nodes.filter((node) => node.hostaddr === hostaddr), ...(index === 0 ? [comp] : [])].map(
        view,
      ),
      strays: { directories: [], processes: [] },
    },
    failure: null,
    obeysAnother: false,
  })),
  shards: [shard],
  comps: [compFacts],
};
