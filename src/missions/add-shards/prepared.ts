import Type from 'typebox';
import { haModes } from '../../core/model.ts';
import { clusterSettingsSchema } from '../topology/cluster-settings.ts';
import { storagePlace } from '../topology/places.ts';
import { promises } from '../topology/promised-nodes.ts';
import { namedComp } from '../topology/tell-compute-nodes.ts';

/** What add_shards decides once, before anything is made. */
export const addShardsPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  nickName: Type.String(),
  haMode: Type.Enum(haModes),
  settings: clusterSettingsSchema,
  /** Shards of the cluster before. */
  shardsBefore: Type.Integer(),
  shards: Type.Array(
    Type.Object({
      name: Type.String(),
      /** Name of the replication group (ha_mode mgr). */
      groupName: Type.String(),
      instancePrefix: Type.String(),
      /** The first becomes the primary. */
      nodes: Type.Array(storagePlace),
    }),
  ),
  /** Those of the cluster. */
  comps: Type.Array(namedComp),
  promised: promises,
});

export type AddShardsPrepared = Type.Static<typeof addShardsPrepared>;

/** Output of the step that records the shards. */
export const recordedShards = Type.Object({ shardIds: Type.Array(Type.Integer()) });

/** Paths of the steps whose outputs other steps and the attachment read. */
export const stepPaths = { install: 'add_shards/install', record: 'add_shards/record' } as const;
