import Type from 'typebox';
import { identifier, text } from '../../core/parameters/fields.ts';

/** `paras` of delete_cluster: one of the two names the cluster. */
export const deleteClusterParas = Type.Object({
  cluster_id: Type.Optional(
    identifier({
      description: 'Id of the cluster.',
      codes: { invalid: 70_098 },
    }),
  ),
  cluster_name: Type.Optional(
    text({
      description: 'Generated name of the cluster, or its nick name when no other cluster has the same.',
      maxLength: 120,
      codes: { invalid: 70_097 },
      example: 'cluster_1651903646_000001',
    }),
  ),
});

export type DeleteClusterParas = Type.Static<typeof deleteClusterParas>;
