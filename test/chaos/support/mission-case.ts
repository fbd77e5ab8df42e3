import type { JsonObject } from '../../../src/core/json.ts';
import type { ClusterJson, ComputeNodeJson, StorageNodeJson } from '../../../src/core/rest-types.ts';
import type { TestMachine } from '../../support/installation.ts';

/** What there is when a job of the sweep is submitted. */
export interface SweepState {
  /** Null before create_cluster and after delete_cluster. */
  readonly cluster: ClusterJson | null;
  readonly machines: readonly TestMachine[];
}

export interface SweepJob {
  readonly jobType: string;
  readonly paras: JsonObject;
}

/** Cases of one part share an installation; those of different parts do not need each other. */
export type SweepPart = 'machines' | 'rbr' | 'mgr';

export interface ClusterShape {
  readonly shards: number;
  /** Of every shard. */
  readonly nodes: number;
  readonly comps: number;
}

/** One job of the sweep. */
export interface MissionCase {
  /** The job type, followed by what is special about this job, if anything. */
  readonly name: string;
  readonly jobType: string;
  readonly part: SweepPart;
  /** Taken from what there is at that moment. */
  readonly paras: (state: SweepState) => JsonObject;
  /** Names of the cases that lead to where it can run: they are run first, where that was not done before. */
  readonly needs?: readonly string[];
  /** Names of the cases of which nothing is left after it. */
  readonly ends?: readonly string[];
  /** What becomes of the shape of the cluster, when it changes that; null: there is none. */
  readonly shape?: (before: ClusterShape | null) => ClusterShape | null;
  /** A machine may lack what the job needs: then it fails, and leaves nothing either. */
  readonly mayFail?: true;
  /** What is run before it, left alone, when it is needed. */
  readonly before?: (state: SweepState) => SweepJob | null;
  /** What makes a cluster whole again that this job leaves without a node, however it has ended. */
  readonly after?: (state: SweepState) => SweepJob | null;
}

export function clusterOf(state: SweepState): ClusterJson {
  if (state.cluster === null) throw new Error('the sweep has no cluster at this point');
  return state.cluster;
}

export function shardOf(state: SweepState, which: 'first' | 'last') {
  const found = clusterOf(state).shards.at(which === 'first' ? 0 : -1);
  if (found === undefined) throw new Error('the cluster has no shard');
  return found;
}

/** Of the first shard. */
export function replicaOf(state: SweepState): StorageNodeJson {
  const found = shardOf(state, 'first').nodes.findLast(({ role }) => role === 'replica');
  if (found === undefined) throw new Error('the shard has no replica');
  return found;
}

/** Of the first shard. */
export function primaryOf(state: SweepState): StorageNodeJson {
  const found = shardOf(state, 'first').nodes.find(({ role }) => role === 'source');
  if (found === undefined) throw new Error('the shard has no primary');
  return found;
}

export function lastCompOf(state: SweepState): ComputeNodeJson {
  const found = clusterOf(state).comps.at(-1);
  if (found === undefined) throw new Error('the cluster has no compute node');
  return found;
}

export const clusterId = (state: SweepState): string => String(clusterOf(state).cluster_id);
export const shardId = (state: SweepState): string => String(shardOf(state, 'first').shard_id);
