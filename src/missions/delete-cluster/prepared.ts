import Type from 'typebox';

const instance = Type.Object({
  instanceId: Type.String(),
  hostaddr: Type.String(),
  agentPort: Type.Integer(),
  port: Type.Integer(),
});

/** What is to be removed, read once before anything is. */
export const deleteClusterPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  shards: Type.Array(
    Type.Object({ shardId: Type.Integer(), name: Type.String(), nodes: Type.Array(instance) }),
  ),
  comps: Type.Array(instance),
});

export type InstancePlace = Type.Static<typeof instance>;
export type DeleteClusterPrepared = Type.Static<typeof deleteClusterPrepared>;
