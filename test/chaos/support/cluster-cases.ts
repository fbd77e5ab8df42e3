import { colonAddress, underscoreAddress } from '../../../src/core/model.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import {
  clusterId,
  clusterOf,
  lastCompOf,
  primaryOf,
  replicaOf,
  shardId,
  shardOf,
  type ClusterShape,
  type MissionCase,
  type SweepJob,
  type SweepState,
} from './mission-case.ts';

type Mode = 'rbr' | 'mgr';

/** Jobs on a cluster of this mode, from the first to the one that deletes it. */
export function clusterCases(mode: Mode): readonly MissionCase[] {
  const all = [...growth, ...operation, ...control, deletion];
  const cases = all.filter(({ name }) => mode === 'rbr' || !sameInEveryMode.has(name));
  const own = (name: string): string => (mode === 'rbr' ? name : `${name}:${mode}`);
  return cases.map((one) => ({
    ...one,
    part: mode,
    name: own(one.name),
    needs: (one.needs ?? []).map(own),
    ends: (one.ends ?? []).filter((name) => cases.some((other) => other.name === name)).map(own),
    paras: (state) => (one.jobType === 'create_cluster' ? shapeOf(mode) : one.paras(state)),
  }));
}

/** Their steps do not depend on how shards replicate. */
const sameInEveryMode: ReadonlySet<string> = new Set([
  'add_comps',
  'delete_comp',
  'set_cluster_variable:computer',
  'update_instance_cgroup',
  'control_instance:computer',
]);

type ModelCase = Omit<MissionCase, 'part'>;

const shapeOf = (mode: Mode): JsonObject => ({
  ha_mode: mode,
  shards: '1',
  nodes: '3',
  comps: '1',
  dbcfg: '1',
});

/** There is a cluster before and after it. */
function grown(by: Partial<ClusterShape>): (before: ClusterShape | null) => ClusterShape {
  return (before) => {
    if (before === null) throw new Error('there is no cluster that could grow');
    const { shards, nodes, comps } = before;
    return {
      shards: shards + (by.shards ?? 0),
      nodes: nodes + (by.nodes ?? 0),
      comps: comps + (by.comps ?? 0),
    };
  };
}

const growth: readonly ModelCase[] = [
  {
    name: 'create_cluster',
    jobType: 'create_cluster',
    shape: () => ({ shards: 1, nodes: 3, comps: 1 }),
    paras: () => shapeOf('rbr'),
  },
  {
    name: 'add_nodes',
    jobType: 'add_nodes',
    shape: grown({ nodes: 1 }),
    needs: ['create_cluster'],
    paras: (state) => ({ cluster_id: clusterId(state), shard_id: shardId(state), nodes: '1' }),
  },
  {
    name: 'delete_node',
    jobType: 'delete_node',
    shape: grown({ nodes: -1 }),
    needs: ['add_nodes'],
    ends: ['add_nodes'],
    paras: (state) => {
      const { hostaddr, port } = replicaOf(state);
      return { cluster_id: clusterId(state), shard_id: shardId(state), hostaddr, port: String(port) };
    },
  },
  {
    name: 'add_comps',
    jobType: 'add_comps',
    needs: ['create_cluster'],
    shape: grown({ comps: 1 }),
    paras: (state) => ({ cluster_id: clusterId(state), comps: '1' }),
  },
  {
    name: 'delete_comp',
    jobType: 'delete_comp',
    shape: grown({ comps: -1 }),
    needs: ['add_comps'],
    ends: ['add_comps'],
    paras: (state) => ({ cluster_id: clusterId(state), comp_id: String(lastCompOf(state).comp_id) }),
  },
  {
    name: 'add_shards',
    jobType: 'add_shards',
    needs: ['create_cluster'],
    shape: grown({ shards: 1 }),
    paras: (state) => ({
      cluster_id: clusterId(state),
      shards: '1',
      nodes: String(shardOf(state, 'first').nodes.length),
    }),
  },
  {
    name: 'delete_shard',
    jobType: 'delete_shard',
    shape: grown({ shards: -1 }),
    needs: ['add_shards'],
    ends: ['add_shards'],
    paras: (state) => ({
      cluster_id: clusterId(state),
      shard_id: String(shardOf(state, 'last').shard_id),
    }),
  },
];

const operation: readonly ModelCase[] = [
  {
    name: 'manual_switch',
    jobType: 'manual_switch',
    needs: ['create_cluster'],
    paras: (state) => ({
      cluster_id: clusterId(state),
      shard_id: shardId(state),
      master_hostaddr: underscoreAddress(primaryOf(state)),
      assign_hostaddr: underscoreAddress(replicaOf(state)),
    }),
  },
  {
    name: 'rebuild_node',
    jobType: 'rebuild_node',
    needs: ['create_cluster'],
    paras: (state) => {
      const { hostaddr, port } = replicaOf(state);
      return {
        cluster_id: clusterId(state),
        shard_id: shardId(state),
        rb_nodes: [{ hostaddr, port: String(port) }],
        allow_pull_from_master: '1',
        allow_replica_delay: '60',
      };
    },
  },
  variable('set_cluster_variable', { machine_type: 'storage', variable: 'back_log', value: '120' }),
  variable('set_cluster_variable:at_once', {
    machine_type: 'storage',
    variable: 'long_query_time',
    value: '5',
  }),
  variable('set_cluster_variable:computer', {
    machine_type: 'computer',
    variable: 'max_locks_per_transaction',
    value: '128',
  }),
  {
    name: 'update_instance_cgroup',
    jobType: 'update_instance_cgroup',
    needs: ['create_cluster'],
    paras: (state) => {
      const { hostaddr, port } = replicaOf(state);
      return { ip: hostaddr, port: String(port), type: 'mysql', cpu_cores: '2', cgroup_mode: 'quota' };
    },
    mayFail: true,
  },
];

/** A rolling restart, the primary after its hand-over, unless the variable can be set while the node runs. */
function variable(name: string, what: JsonObject): ModelCase {
  return {
    name,
    jobType: 'set_cluster_variable',
    needs: ['create_cluster'],
    paras: (state) => ({ cluster_id: clusterId(state), ...what }),
  };
}

const control: readonly ModelCase[] = [
  controlled('control_instance', (state) => order(replicaOf(state), 'restart')),
  controlled('control_instance:primary', (state) => order(primaryOf(state), 'restart')),
  controlled('control_instance:computer', (state) => order(lastCompOf(state), 'restart')),
  // Another node takes over first.
  controlled('control_instance:stop', (state) => order(primaryOf(state), 'stop')),
  {
    ...controlled('control_instance:start', (state) => order(stoppedOf(state), 'start')),
    before: (state) =>
      findStopped(state) === undefined ? controlJob(order(replicaOf(state), 'stop')) : null,
  },
];

function controlled(name: string, paras: (state: SweepState) => JsonObject): ModelCase {
  return { name, jobType: 'control_instance', needs: ['create_cluster'], paras, after: startAgain };
}

interface At {
  readonly hostaddr: string;
  readonly port: number;
}

const order = ({ hostaddr, port }: At, control: 'start' | 'stop' | 'restart'): JsonObject => ({
  hostaddr,
  port: String(port),
  control,
});
const controlJob = (paras: JsonObject): SweepJob => ({ jobType: 'control_instance', paras });

function findStopped(state: SweepState): At | undefined {
  return shardOf(state, 'first').nodes.find(({ status }) => status === 'manual_stop');
}

function stoppedOf(state: SweepState): At {
  const found = findStopped(state);
  if (found !== undefined) return found;
  const { nodes } = shardOf(state, 'first');
  const seen = nodes.map((node) => `${colonAddress(node)} ${node.status}`).join(', ');
  throw new Error(`no node was stopped on purpose: ${seen}`);
}

function startAgain(state: SweepState): SweepJob | null {
  const found = findStopped(state);
  return found === undefined ? null : controlJob(order(found, 'start'));
}

const deletion: ModelCase = {
  name: 'delete_cluster',
  jobType: 'delete_cluster',
  shape: () => null,
  needs: ['create_cluster'],
  ends: ['create_cluster', 'add_nodes', 'add_comps', 'add_shards'],
  paras: (state) => ({ cluster_id: String(clusterOf(state).cluster_id) }),
};
