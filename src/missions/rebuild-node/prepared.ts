import Type from 'typebox';
import { nodeStatuses } from '../../catalog/storage-nodes.ts';
import type { NodeStatus } from '../../core/model.ts';

const rebuilding = Type.Object({
  nodeId: Type.Integer(),
  instanceId: Type.String(),
  hostaddr: Type.String(),
  port: Type.Integer(),
  agentPort: Type.Integer(),
  /** To which the node returns when nothing was done to it. */
  formerStatus: Type.Unsafe<NodeStatus>({ type: 'string', enum: [...nodeStatuses] }),
  /** Of the copy, MiB/s; 0: none. */
  limit: Type.Integer(),
});

/** What rebuild_node decides once. */
export const rebuildNodePrepared = Type.Object({
  clusterId: Type.Integer(),
  shardId: Type.Integer(),
  shardName: Type.String(),
  /** Nodes that are rebuilt at the same time; the first wave is one node, which the others may copy from. */
  waves: Type.Array(Type.Array(rebuilding)),
});

export type RebuildingNode = Type.Static<typeof rebuilding>;
export type RebuildNodePrepared = Type.Static<typeof rebuildNodePrepared>;

/** Keys of the steps of one node, in their order; consoles show them as job_step. */
export const rebuildSteps = [
  'check_param',
  'save_errant',
  'clear_old_data',
  'clone_data',
  'rebuild_sync',
] as const;
export type RebuildStep = (typeof rebuildSteps)[number];

export const stepPath = (wave: number, node: RebuildingNode, step: RebuildStep): string =>
  `rebuild_node/wave_${String(wave + 1)}/node_${String(node.nodeId)}/${step}`;
