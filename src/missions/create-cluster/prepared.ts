import Type from 'typebox';
import { computePlace, storagePlace } from '../topology/places.ts';

/** What create_cluster decides once, before anything is made: names and places. */
export const createClusterPrepared = Type.Object({
  clusterName: Type.String(),
  shards: Type.Array(
    Type.Object({
      name: Type.String(),
      /** Name of the replication group (ha_mode mgr). */
      groupName: Type.String(),
      /** The first becomes the primary. */
      nodes: Type.Array(storagePlace),
    }),
  ),
  comps: Type.Array(computePlace),
  /** What placement counted one storage node and one compute node with, MiB. */
  memoryMb: Type.Object({ storage: Type.Integer(), compute: Type.Integer() }),
});

export type CreateClusterPrepared = Type.Static<typeof createClusterPrepared>;

/** Output of the step that registers the cluster. */
export const registeredCluster = Type.Object({ clusterId: Type.Integer() });
/** Output of the step that records shards and nodes. */
export const recordedCluster = Type.Object({
  shardIds: Type.Array(Type.Integer()),
  storageNodeIds: Type.Array(Type.Array(Type.Integer())),
  computeNodeIds: Type.Array(Type.Integer()),
});

/** Paths of the steps whose outputs other steps and the attachment read. */
export const stepPaths = {
  register: 'create_cluster/register',
  install: 'create_cluster/install',
  computeNode: (index: number) => `create_cluster/install/computers/comp_${String(index)}`,
  record: 'create_cluster/record',
} as const;
