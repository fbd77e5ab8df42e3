import Type from 'typebox';
import { nodeStatuses } from '../../catalog/storage-nodes.ts';
import type { NodeStatus } from '../../core/model.ts';
import { instancePlace } from '../topology/removal.ts';
import { namedComp } from '../topology/tell-compute-nodes.ts';

/** What delete_node is to remove, read once before anything is. */
export const deleteNodePrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  shardId: Type.Integer(),
  shardName: Type.String(),
  nodeId: Type.Integer(),
  formerStatus: Type.Unsafe<NodeStatus>({ type: 'string', enum: [...nodeStatuses] }),
  place: instancePlace,
  comps: Type.Array(namedComp),
});

export type DeleteNodePrepared = Type.Static<typeof deleteNodePrepared>;
