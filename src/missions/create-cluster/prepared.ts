import Type from 'typebox';

/** What create_cluster decides once, before anything is made: names and places. Ports follow when nodes start. */
const place = Type.Object({
  hostaddr: Type.String(),
  agentPort: Type.Integer(),
  machineId: Type.Integer(),
});

export const storagePlace = Type.Object({
  ...place.properties,
  datadir: Type.String(),
  logdir: Type.String(),
  walLogDir: Type.String(),
});

export const computePlace = Type.Object({ ...place.properties, datadir: Type.String() });

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

export type StoragePlace = Type.Static<typeof storagePlace>;
export type ComputePlace = Type.Static<typeof computePlace>;
export type CreateClusterPrepared = Type.Static<typeof createClusterPrepared>;

/** Output of the step that registers the cluster. */
export const registeredCluster = Type.Object({ clusterId: Type.Integer() });
/** Output of a step that started an engine. */
export const startedInstance = Type.Object({ instanceId: Type.String(), port: Type.Integer() });
/** Output of the step that records shards and nodes. */
export const recordedCluster = Type.Object({
  shardIds: Type.Array(Type.Integer()),
  storageNodeIds: Type.Array(Type.Array(Type.Integer())),
  computeNodeIds: Type.Array(Type.Integer()),
});

/** Paths of the steps whose outputs other steps and the attachment read. */
export const stepPaths = {
  register: 'create_cluster/register',
  storageNode: (shard: number, node: number) =>
    `create_cluster/install/shard_${String(shard)}/nodes/node_${String(node)}`,
  computeNode: (index: number) => `create_cluster/install/computers/comp_${String(index)}`,
  record: 'create_cluster/record',
} as const;
