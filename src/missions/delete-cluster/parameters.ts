import Type from 'typebox';
import { integer, text } from '../../core/parameters/fields.ts';

/** `paras` of delete_cluster: one of the two names the cluster. */
export const deleteClusterParas = Type.Object({
  cluster_id: Type.Optional(
    integer({
      description: 'Id of the cluster.',
      minimum: 1,
      maximum: 4_294_967_295,
      codes: { invalid: 70_098 },
      example: '1',
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
