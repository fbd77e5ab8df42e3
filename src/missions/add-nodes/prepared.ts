import Type from 'typebox';
import { haModes } from '../../core/model.ts';
import { clusterSettingsSchema } from '../topology/cluster-settings.ts';
import { storagePlace } from '../topology/places.ts';
import { promises } from '../topology/promised-nodes.ts';
import { namedComp } from '../topology/tell-compute-nodes.ts';

const growingShard = Type.Object({
  shardId: Type.Integer(),
  name: Type.String(),
  /** Name of the replication group (ha_mode mgr), else empty. */
  groupName: Type.String(),
  instancePrefix: Type.String(),
  nodes: Type.Array(storagePlace),
});

/** What add_nodes decides once, before anything is made. */
export const addNodesPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  haMode: Type.Enum(haModes),
  settings: clusterSettingsSchema,
  /** No shard was named. */
  everyShard: Type.Boolean(),
  /** Shards of the cluster. */
  shardCount: Type.Integer(),
  /** Those that get nodes. */
  shards: Type.Array(growingShard),
  comps: Type.Array(namedComp),
  promised: promises,
});

export type GrowingShard = Type.Static<typeof growingShard>;
export type AddNodesPrepared = Type.Static<typeof addNodesPrepared>;

/** Output of the step that records the nodes: per shard their ids. */
export const recordedNodes = Type.Object({ nodeIds: Type.Array(Type.Array(Type.Integer())) });

export const stepPaths = { install: 'add_nodes/install', record: 'add_nodes/record' } as const;
