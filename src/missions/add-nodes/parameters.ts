import Type from 'typebox';
import { addressList, integer } from '../../core/parameters/fields.ts';

const largestId = 4_294_967_295;

/** `paras` of add_nodes. */
export const addNodesParas = Type.Object({
  cluster_id: integer({
    description: 'Id of the cluster.',
    minimum: 1,
    maximum: largestId,
    codes: { invalid: 70_154 },
    example: '1',
  }),
  shard_id: Type.Optional(
    integer({
      description: 'Id of the shard that gets the nodes. Default: every shard.',
      minimum: 1,
      maximum: largestId,
      codes: { invalid: 70_161 },
      example: '1',
    }),
  ),
  nodes: integer({
    description: 'Number of new nodes, of each shard.',
    minimum: 1,
    maximum: 256,
    codes: { invalid: 70_155, range: 70_156 },
    example: '2',
  }),
  storage_iplists: Type.Optional(
    addressList({
      description: 'Machines for the nodes. Default: all running storage machines.',
      codes: { invalid: 70_183 },
    }),
  ),
});

export type AddNodesParas = Type.Static<typeof addNodesParas>;

export const addNodesExample = {
  cluster_id: '1',
  shard_id: '1',
  nodes: '2',
  storage_iplists: ['192.168.0.2', '192.168.0.3'],
};
