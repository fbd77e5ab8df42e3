import Type from 'typebox';
import { addressList, count, identifier } from '../../core/parameters/fields.ts';

/** `paras` of add_comps. Codes: the wire numbers that clients know for each rule. */
export const addCompsParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_109 },
  }),
  comps: count({
    description: 'Number of new compute nodes.',
    codes: { invalid: 70_108, range: 70_110 },
    example: '1',
  }),
  computer_iplists: Type.Optional(
    addressList({
      description: 'Machines for the compute nodes. Default: all running computer machines.',
      codes: { invalid: 70_185 },
    }),
  ),
});

export type AddCompsParas = Type.Static<typeof addCompsParas>;

export const addCompsExample = {
  cluster_id: '1',
  comps: '2',
  computer_iplists: ['192.168.0.2', '192.168.0.3'],
};
