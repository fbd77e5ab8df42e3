import Type from 'typebox';
import { instancePlace } from '../topology/removal.ts';
import { namedComp } from '../topology/tell-compute-nodes.ts';

/** What delete_shard is to remove, read once before anything is. */
export const deleteShardPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  shardId: Type.Integer(),
  shardName: Type.String(),
  nodes: Type.Array(
    Type.Object({
      nodeId: Type.Integer(),
      /** Before this job. */
      status: Type.Union([
        Type.Literal('creating'),
        Type.Literal('active'),
        Type.Literal('inactive'),
        Type.Literal('deleted'),
        Type.Literal('manual_stop'),
      ]),
      place: instancePlace,
    }),
  ),
  /** The compute nodes of the cluster. */
  comps: Type.Array(namedComp),
});

export type DeleteShardPrepared = Type.Static<typeof deleteShardPrepared>;
