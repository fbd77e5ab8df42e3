import type { JsonObject } from '../../../src/core/json.ts';
import { underscoreAddress } from '../../../src/core/model.ts';
import type { ClusterJson } from '../../../src/core/rest-types.ts';
import { portRange, type TestMachine } from '../../support/installation.ts';

/** What there is when a job of the sweep is submitted. */
export interface SweepState {
  /** Null before create_cluster and after delete_cluster. */
  readonly cluster: ClusterJson | null;
  readonly machines: readonly TestMachine[];
}

/** One job of the sweep. */
export interface MissionCase {
  readonly jobType: string;
  /** Taken from what there is at that moment. */
  readonly paras: (state: SweepState) => JsonObject;
  /** Job types that lead to where it can run; a new installation runs them first. */
  readonly needs?: readonly string[];
  /** Shards, nodes of the first one, and compute nodes of the cluster after it, when it changes them. */
  readonly shape?: readonly [number, number, number] | null;
  /** A machine may lack what the job needs: then it fails, and leaves nothing either. */
  readonly mayFail?: true;
}

/** Machines that a sweep needs; the last one carries nothing at first. */
export const sweepMachines = 4;

function cluster(state: SweepState): ClusterJson {
  if (state.cluster === null) throw new Error('the sweep has no cluster at this point');
  return state.cluster;
}

function shard(state: SweepState, which: 'first' | 'last') {
  const found = cluster(state).shards.at(which === 'first' ? 0 : -1);
  if (found === undefined) throw new Error('the cluster has no shard');
  return found;
}

function replica(state: SweepState) {
  const found = shard(state, 'first').nodes.findLast(({ role }) => role === 'replica');
  if (found === undefined) throw new Error('the shard has no replica');
  return found;
}

function spare({ machines }: SweepState): TestMachine {
  const found = machines.at(-1);
  if (found === undefined) throw new Error('there is no machine');
  return found;
}

const clusterId = (state: SweepState): string => String(cluster(state).cluster_id);
const shardId = (state: SweepState): string => String(shard(state, 'first').shard_id);

function spareMachine(state: SweepState): JsonObject {
  const { machines } = state;
  const { hostaddr, dataDirectory } = spare(state);
  return {
    hostaddr,
    machine_type: 'computer',
    port_range: portRange('computer', machines.length - 1),
    rack_id: '1',
    datadir: dataDirectory,
    logdir: dataDirectory,
    wal_log_dir: dataDirectory,
    comp_datadir: dataDirectory,
    total_mem: '16384',
    total_cpu_cores: '8',
  };
}

/**
 * Every job type that changes something, at least once, each where the ones before have led. A unit test fails for a
 * mission without a case.
 */
export const missionCases: readonly MissionCase[] = [
  {
    jobType: 'delete_machine',
    paras: (state) => ({ hostaddr: spare(state).hostaddr, machine_type: 'computer' }),
  },
  { jobType: 'create_machine', needs: ['delete_machine'], paras: spareMachine },
  {
    jobType: 'update_machine',
    needs: ['delete_machine', 'create_machine'],
    paras: (state) => ({ ...spareMachine(state), total_mem: '8192' }),
  },
  {
    jobType: 'set_machine',
    needs: ['delete_machine', 'create_machine'],
    paras: (state) => ({ hostaddr: spare(state).hostaddr, node_stats: 'running' }),
  },
  {
    jobType: 'create_cluster',
    shape: [1, 3, 1],
    paras: () => ({ ha_mode: 'rbr', shards: '1', nodes: '3', comps: '1', dbcfg: '1' }),
  },
  {
    jobType: 'add_nodes',
    shape: [1, 4, 1],
    needs: ['create_cluster'],
    paras: (state) => ({ cluster_id: clusterId(state), shard_id: shardId(state), nodes: '1' }),
  },
  {
    jobType: 'delete_node',
    shape: [1, 3, 1],
    needs: ['create_cluster', 'add_nodes'],
    paras: (state) => {
      const { hostaddr, port } = replica(state);
      return { cluster_id: clusterId(state), shard_id: shardId(state), hostaddr, port: String(port) };
    },
  },
  {
    jobType: 'add_comps',
    needs: ['create_cluster'],
    shape: [1, 3, 2],
    paras: (state) => ({ cluster_id: clusterId(state), comps: '1' }),
  },
  {
    jobType: 'delete_comp',
    shape: [1, 3, 1],
    needs: ['create_cluster', 'add_comps'],
    paras: (state) => ({
      cluster_id: clusterId(state),
      comp_id: String(cluster(state).comps.at(-1)?.comp_id),
    }),
  },
  {
    jobType: 'add_shards',
    needs: ['create_cluster'],
    shape: [2, 3, 1],
    paras: (state) => ({ cluster_id: clusterId(state), shards: '1', nodes: '3' }),
  },
  {
    jobType: 'delete_shard',
    shape: [1, 3, 1],
    needs: ['create_cluster', 'add_shards'],
    paras: (state) => ({
      cluster_id: clusterId(state),
      shard_id: String(shard(state, 'last').shard_id),
    }),
  },
  {
    jobType: 'manual_switch',
    needs: ['create_cluster'],
    paras: (state) => {
      const source = shard(state, 'first').nodes.find(({ role }) => role === 'source');
      if (source === undefined) throw new Error('the shard has no primary');
      return {
        cluster_id: clusterId(state),
        shard_id: shardId(state),
        master_hostaddr: underscoreAddress(source),
        assign_hostaddr: underscoreAddress(replica(state)),
      };
    },
  },
  {
    jobType: 'rebuild_node',
    needs: ['create_cluster'],
    paras: (state) => {
      const { hostaddr, port } = replica(state);
      return {
        cluster_id: clusterId(state),
        shard_id: shardId(state),
        rb_nodes: [{ hostaddr, port: String(port) }],
        allow_pull_from_master: '1',
        allow_replica_delay: '60',
      };
    },
  },
  {
    jobType: 'set_cluster_variable',
    needs: ['create_cluster'],
    paras: (state) => ({
      cluster_id: clusterId(state),
      machine_type: 'storage',
      variable: 'back_log',
      value: '120',
    }),
  },
  {
    jobType: 'control_instance',
    needs: ['create_cluster'],
    paras: (state) => {
      const { hostaddr, port } = replica(state);
      return { hostaddr, port: String(port), control: 'restart', machine_type: 'storage' };
    },
  },
  {
    jobType: 'update_instance_cgroup',
    needs: ['create_cluster'],
    paras: (state) => {
      const { hostaddr, port } = replica(state);
      return { ip: hostaddr, port: String(port), type: 'mysql', cpu_cores: '2', cgroup_mode: 'quota' };
    },
    mayFail: true,
  },
  {
    jobType: 'delete_cluster',
    shape: null,
    needs: ['create_cluster'],
    paras: (state) => ({ cluster_id: clusterId(state) }),
  },
];
