import Type from 'typebox';
import { instancePlace } from '../topology/removal.ts';
import { namedComp } from '../topology/tell-compute-nodes.ts';

/** What delete_comp is to remove, read once before anything is. */
export const deleteCompPrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  comp: namedComp,
  place: instancePlace,
  /** The compute nodes that stay. */
  others: Type.Array(namedComp),
});

export type DeleteCompPrepared = Type.Static<typeof deleteCompPrepared>;
