import type { InstanceStanding, InstanceView } from '../../src/core/agent-protocol.ts';
import { clusterId, instanceId, machineId, shardId, storageNodeId } from '../../src/core/ids.ts';
import type { StorageNode } from '../../src/core/model.ts';
import {
  defaultFailoverPolicy,
  type NodeAnswer,
  type NodeObservation,
  type ShardObservation,
} from '../../src/ha/shard-observation.ts';

/** Of whoever began the transactions of the shard. */
export const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
/** Of a server at which none of them began. */
const another = '5a2e0c91-71ca-11e1-9e33-c80aa9429562';

export function node(index: number): StorageNode {
  return {
    id: storageNodeId(index),
    clusterId: clusterId(1),
    shardId: shardId(1),
    machineId: machineId(index),
    instanceId: instanceId(`cluster1-shard1-node${String(index)}`),
    hostaddr: `10.0.0.${String(index)}`,
    port: 57_001,
    memberState: index === 1 ? 'source' : 'replica',
    status: 'active',
    isAbsentHolder: false,
  };
}

export const at = (index: number) => ({ hostaddr: `10.0.0.${String(index)}`, port: 57_001 });

/** What the agent of its machine says of node `index`: it serves. */
export function instanceView(index: number): InstanceView {
  return {
    instanceId: node(index).instanceId,
    engine: 'mysql',
    engineVersion: '9.7.4',
    ...at(index),
    state: 'running',
    desired: 'running',
    pid: 4711,
    datadir: '/data',
    logFile: '/data/error.log',
    restarts: 0,
    lastExit: null,
    remadeBy: null,
    labels: {},
    cpuLimit: null,
    warnings: [],
    health: { answers: true, reason: null, hearsSource: null },
  };
}

/** The part of a server that follows nobody and that nothing happens to. */
export const standing: InstanceStanding = {
  superReadOnly: true,
  source: null,
  receives: false,
  applies: false,
  acknowledges: false,
  acknowledgements: 0,
  acknowledgers: 0,
  group: [],
  stalled: false,
  lingering: 0,
};

/** Node `index` says this; null: it does not answer. */
export function seen(index: number, answer: NodeAnswer | null): NodeObservation {
  const silent = { failure: 'connect ECONNREFUSED', misses: 9, silentMs: 60_000 };
  const spoke = { failure: null, misses: 0, silentMs: 0 };
  return {
    node: node(index),
    answer,
    busy: false,
    brokenMs: 0,
    agent: null,
    ...(answer === null ? silent : spoke),
  };
}

export const plain: NodeAnswer = {
  serverUuid: another,
  superReadOnly: true,
  channel: null,
  acknowledgements: 0,
  acknowledges: false,
  acknowledgers: 0,
  commitsWaiting: 0,
  gtids: `${uuid}:1-10`,
  purged: '',
  groupState: 'OFFLINE',
  group: [],
};
export const primary: NodeAnswer = {
  ...plain,
  serverUuid: uuid,
  superReadOnly: false,
  acknowledgements: 1,
  acknowledgers: 2,
};
export const following = {
  source: at(1),
  receiverRunning: true,
  connecting: false,
  heardMs: 200,
  applierRunning: true,
  error: null,
  applierError: null,
};
export const replica: NodeAnswer = { ...plain, channel: following, acknowledges: true };

export const shard = {
  name: 'shard_1',
  haMode: 'rbr',
  fullsyncLevel: 1,
  acknowledgements: 1,
  degrade: { enabled: false, afterSeconds: 0 },
  starvedMs: 0,
  isolatedMs: 0,
  diskMs: 0,
  noSwitchUntil: null,
  nodes: [],
  stopped: [],
  unfinished: [],
  recentFailovers: 0,
  failoverPolicy: defaultFailoverPolicy,
  routes: [],
} as const satisfies ShardObservation;

/** The group as a member sees it: who leads, and who else is listed. */
export const groupView = (leader: number, ...others: readonly number[]): NodeAnswer['group'] =>
  [leader, ...others].map((index) => ({
    ...at(index),
    serverUuid: String(index),
    state: 'ONLINE',
    primary: index === leader,
  }));
export const groupMember = (leader: number, ...others: readonly number[]): NodeAnswer => ({
  ...plain,
  groupState: 'ONLINE',
  group: groupView(leader, ...others),
});
/** As its primary sees it, which accepts writes. */
export const groupPrimary = (leader: number, ...others: readonly number[]): NodeAnswer => ({
  ...groupMember(leader, ...others),
  superReadOnly: false,
});
