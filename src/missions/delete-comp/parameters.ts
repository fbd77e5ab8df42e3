import Type from 'typebox';
import { integer } from '../../core/parameters/fields.ts';

/** `paras` of delete_comp. Codes: the wire numbers that clients know for each rule. */
export const deleteCompParas = Type.Object({
  cluster_id: integer({
    description: 'Id of the cluster.',
    minimum: 1,
    maximum: 4_294_967_295,
    codes: { invalid: 70_132 },
    example: '1',
  }),
  comp_id: integer({
    description: 'Id of the compute node; it may not be the only one.',
    minimum: 1,
    maximum: 4_294_967_295,
    codes: { invalid: 70_133 },
    example: '2',
  }),
});

export type DeleteCompParas = Type.Static<typeof deleteCompParas>;
