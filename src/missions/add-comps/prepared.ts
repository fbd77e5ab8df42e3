import Type from 'typebox';
import { clusterSettingsSchema } from '../topology/cluster-settings.ts';
import { computePlace } from '../topology/places.ts';
import { promises } from '../topology/promised-nodes.ts';
import { namedComp } from '../topology/tell-compute-nodes.ts';

/** What add_comps decides once, before anything is made. */
export const addCompsPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  nickName: Type.String(),
  settings: clusterSettingsSchema,
  shards: Type.Integer(),
  comps: Type.Array(Type.Object({ instanceId: Type.String(), place: computePlace })),
  /** Those that the cluster has already. */
  others: Type.Array(namedComp),
  promised: promises,
});

export type AddCompsPrepared = Type.Static<typeof addCompsPrepared>;

/** Output of the step that records the compute nodes. */
export const recordedComps = Type.Object({ comps: Type.Array(namedComp) });

/** Paths of the steps whose outputs other steps and the attachment read. */
export const stepPaths = {
  computeNode: (index: number) => `add_comps/install/comp_${String(index)}`,
  record: 'add_comps/record',
} as const;
