import Type from 'typebox';
import { identifier } from '../../core/parameters/fields.ts';

/** `paras` of delete_comp. Codes: the wire numbers that clients know for each rule. */
export const deleteCompParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_132 },
  }),
  comp_id: identifier({
    description: 'Id of the compute node; it may not be the only one.',
    codes: { invalid: 70_133 },
    example: '2',
  }),
});

export type DeleteCompParas = Type.Static<typeof deleteCompParas>;
