import Type from 'typebox';
import { instancePlace } from '../topology/removal.ts';

/** What is to be removed, read once before anything is. */
export const deleteClusterPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  shards: Type.Array(
    Type.Object({ shardId: Type.Integer(), name: Type.String(), nodes: Type.Array(instancePlace) }),
  ),
  comps: Type.Array(instancePlace),
});

export type DeleteClusterPrepared = Type.Static<typeof deleteClusterPrepared>;
